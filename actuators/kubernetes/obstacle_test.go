package kubernetes

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
)

// sized is a Deployment, or another workload with a pod template, of pods with these fields.
func sized(kind, name, spec, pod string) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: %[1]s
metadata: {name: %[2]s}
spec:
  %[3]s
  selector: {matchLabels: {app: %[2]s}}
  template:
    metadata: {labels: {app: %[2]s}}
    spec: {%[4]s containers: [{name: main, image: none, resources: {requests: {cpu: 100m}}}]}
`, kind, name, spec, pod)
}

// held waits until Verify names an obstacle that has these words, by a clock that passes as
// fast as the test asks.
func held(t *testing.T, b *bench, verb engine.Verifier, change engine.Change, words string) engine.Outcome {
	t.Helper()
	clock := engine.NewManualClock(time.Now())
	b.Clock = clock
	var out engine.Outcome
	defer func() {
		if t.Failed() {
			t.Logf("%+v", out)
		}
	}()
	soon(t, words, func() bool {
		clock.Advance(100 * time.Millisecond)
		var err error
		out, err = verb.Verify(testContext(t), change)
		require.NoError(t, err)
		require.Equal(t, engine.Running, out.Status, out.Detail)
		return strings.Contains(out.Obstacle, words)
	})
	return out
}

// What the control plane itself refuses, or can't place.
func TestAScaleNamesWhatKeepsItsPodsAway(t *testing.T) {
	const quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: small}\nspec: {hard: {pods: \"1\"}}\n"
	for name, row := range map[string]struct {
		setup          func(t *testing.T, b *bench)
		kind, spec, of string
		want           string
		exactly        bool
	}{
		"quota": {
			setup: func(t *testing.T, b *bench) { b.create(t, "admin", quota) },
			want:  "FailedCreate: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1; 1 pod Unschedulable: ",
		},
		"quota of a StatefulSet, which has no condition": {
			setup: func(t *testing.T, b *bench) { b.create(t, "admin", quota) },
			kind:  "StatefulSet", spec: "podManagementPolicy: Parallel", want: "FailedCreate: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1",
		},
		"PodSecurity": {
			setup: func(t *testing.T, b *bench) { b.label(t, "pod-security.kubernetes.io/enforce", "restricted") },
			want:  `FailedCreate: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false`,
		},
		"a limit range": {
			setup: func(t *testing.T, b *bench) {
				b.create(t, "admin", "apiVersion: v1\nkind: LimitRange\nmetadata: {name: l}\nspec: {limits: [{type: Container, min: {cpu: 500m}}]}\n")
			},
			want: "FailedCreate: minimum cpu usage per Container is 500m, but request is 100m", exactly: true,
		},
		"a limit range that makes the pod invalid": {
			setup: func(t *testing.T, b *bench) {
				b.create(t, "admin", "apiVersion: v1\nkind: LimitRange\nmetadata: {name: l}\nspec: {limits: [{type: Container, max: {cpu: 50m}}]}\n")
			},
			want: "FailedCreate: spec.containers[0].resources.requests: Invalid value",
		},
		"an admission policy": {setup: denyPods, want: "FailedCreate: ValidatingAdmissionPolicy", of: "priorityClassName: \"\","},
		"no service account":  {of: "serviceAccountName: nobody,", want: `FailedCreate: error looking up service account`},
		"no priority class":   {of: "priorityClassName: none,", want: "FailedCreate: no PriorityClass with name none was found"},
		"no node fits":        {of: "nodeSelector: {size: huge},", want: "3 pods Unschedulable: "},
		"scheduling is gated": {of: "schedulingGates: [{name: example.com/wait}],", want: "3 pods SchedulingGated: Scheduling is blocked due to non-empty scheduling gates", exactly: true},
		"no such scheduler":   {of: "schedulerName: nobody,", want: "3 pods Pending: no scheduler has taken it up (schedulerName nobody)", exactly: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			kind := "Deployment"
			if row.kind != "" {
				kind = row.kind
			}
			if row.setup != nil {
				row.setup(t, b)
			}
			b.create(t, "kubectl-create", sized(kind, "web", "replicas: 0\n  "+row.spec, row.of))
			target := b.settled(t, "apps/v1", kind, "web")
			s, p := scaler{b.Cluster}, proposal("scale", target, to(3))
			if strings.Contains(row.want, "used: pods=1") {
				done(t, s, proposal("scale", target, to(1)))
				b.admin.WaitPods(t, b.ns, "app=web", 1)
				p = again(proposal("scale", b.settled(t, "apps/v1", kind, "web"), to(3)))
			}
			out := held(t, b, s, done(t, s, p), row.want)
			require.Equal(t, "0 of 3 ready", out.Detail)
			if row.exactly {
				require.Equal(t, row.want, out.Obstacle)
			}
		})
	}
}

func (b *bench) label(t *testing.T, name, value string) {
	t.Helper()
	_, err := b.admin.Client().Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).
		Patch(testContext(t), b.ns, types.MergePatchType, fmt.Appendf(nil, `{"metadata": {"labels": {%q: %q}}}`, name, value), metav1.PatchOptions{})
	require.NoError(t, err)
}

// denyPods has a validating admission policy deny the pods of the namespace.
func denyPods(t *testing.T, b *bench) {
	t.Helper()
	b.admin.Apply(t, fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: %[1]s}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  validations: [{expression: "false", message: "no pods on Mondays"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: %[1]s}
spec: {policyName: %[1]s, validationActions: [Deny], matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}}}
`, b.ns))
	soon(t, "the policy denies", func() bool {
		_, err := b.on(t, "v1", "Pod").Create(testContext(t), objectOf(t, lone(b.ns, "try", "try")), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil && strings.Contains(err.Error(), "Mondays")
	})
}

// What a kubelet reports of the pods.
func TestAScaleNamesTheMostFrequentReasonsOfItsPods(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", sized("Deployment", "web", "replicas: 0", ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	s := scaler{b.Cluster}
	change := done(t, s, proposal("scale", target, to(5)))
	pods := b.admin.WaitPods(t, b.ns, "app=web", 5)
	const oom = `"restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}}, "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}`
	const pull = `"restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"none\": ErrImagePull: not found"}}`
	for i, status := range []string{oom, pull, oom, `"restartCount": 0, "state": {"waiting": {"reason": "InvalidImageName", "message": "bad"}}`, oom} {
		b.kubelet(t, pods[i], status)
	}
	held(t, b, s, change, "3 pods CrashLoopBackOff: container main ended with exit code 137, OOMKilled; 1 pod I")

	// The loop goes on, and the words stay.
	b.kubelet(t, pods[0], `"restartCount": 4, "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}`)
	b.kubelet(t, pods[1], `"restartCount": 0, "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}`)
	b.kubelet(t, pods[3], pull)
	out := held(t, b, s, change, "2 pods ImagePullBackOff: container main, image none: not found")
	require.Equal(t, "3 pods CrashLoopBackOff: container main ended with exit code 137, OOMKilled; 2 pods ImagePullBackOff: container main, image none: not found", out.Obstacle)
}

// kubelet writes the status of a pod's container, as a kubelet would.
func (b *bench) kubelet(t *testing.T, pod unstructured.Unstructured, container string) {
	t.Helper()
	if node, _, _ := unstructured.NestedString(pod.Object, "spec", "nodeName"); node == "" && b.read(t, "v1", "Pod", pod.GetName()).Object["spec"].(map[string]any)["nodeName"] == nil {
		b.admin.RunPod(t, pod, "obstacle-node", "127.4.0.1", 0)
	}
	b.admin.Patch(t, podsResource, b.ns, pod.GetName(), `{"status": {"conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "False"}],
		"containerStatuses": [{"name": "main", "image": "none", "imageID": "", "ready": false, `+container+`}]}}`, "status")
}

// A rollout waits for the new pods: what the old ones suffer from is often why it was begun.
func TestARolloutNamesTheReasonOfItsNewPods(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", sized("Deployment", "web", "replicas: 2", ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	for _, pod := range b.admin.WaitPods(t, b.ns, "app=web", 2) {
		b.kubelet(t, pod, `"restartCount": 3, "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}`)
	}
	verb := placer{b.Cluster}
	out := held(t, b, verb, done(t, verb, proposal("place", target, map[string]any{"nodeSelector": map[string]any{"size": "huge"}})), "Unschedulable: ")
	require.NotContains(t, out.Obstacle, "CrashLoop")
}

// A StatefulSet reports its newest revision, and a quota only by Events.
func TestARolloutOfAStatefulSetNamesItsObstacle(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", sized("StatefulSet", "db", "replicas: 1", ""))
	target := b.settled(t, "apps/v1", "StatefulSet", "db")
	b.admin.RunPod(t, b.admin.WaitPods(t, b.ns, "app=db", 1)[0], "obstacle-node", "127.4.0.2", 0)
	b.create(t, "admin", "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: none}\nspec: {hard: {pods: \"0\"}}\n")
	soon(t, "the quota counts", func() bool {
		used, _, _ := unstructured.NestedString(b.read(t, "v1", "ResourceQuota", "none").Object, "status", "used", "pods")
		return used == "1"
	})
	verb := restarter{b.Cluster}
	change := done(t, verb, proposal("restart", target, nil))
	soon(t, "the old pod is being deleted", func() bool { return b.read(t, "v1", "Pod", "db-0").GetDeletionTimestamp() != nil })
	b.Clock = engine.NewManualClock(time.Now().Add(5 * time.Minute))
	out, err := verify(t, verb, change)
	require.NoError(t, err)
	require.Equal(t, "1 pod Terminating on node obstacle-node", out.Obstacle, "a kubelet that does not answer")
	b.lookups = eventLookups{} // of the future
	b.admin.Delete(t, podsResource, b.ns, "db-0")
	held(t, b, verb, change, "FailedCreate: exceeded quota: none")
}

func TestASettingThatKeepsARolloutFromItsEnd(t *testing.T) {
	// A person writes `later` during the rollout. If the setting were there before, the verb might
	// be refused.
	for name, row := range map[string]struct{ kind, spec, later, want string }{
		"paused":    {"Deployment", "replicas: 1", `{"spec": {"paused": true}}`, "its rollouts are paused (spec.paused)"},
		"on delete": {"StatefulSet", "replicas: 1", `{"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}}`, "its pods are replaced only once somebody deletes them (spec.updateStrategy OnDelete)"},
		"partition": {"StatefulSet", "replicas: 2\n  updateStrategy: {rollingUpdate: {partition: 1}}", "", "its pods with an ordinal below 1 stay as they are (spec.updateStrategy.rollingUpdate.partition)"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.create(t, "kubectl-create", sized(row.kind, "web", row.spec, ""))
			target := b.settled(t, "apps/v1", row.kind, "web")
			verb := restarter{b.Cluster}
			change := done(t, verb, proposal("restart", target, nil))
			if row.later != "" {
				b.merge(t, "kubectl", "apps/v1", row.kind, "web", row.later)
			}
			held(t, b, verb, change, row.want)
		})
	}
}

// The controller of a custom kind makes the pods by other objects.
func TestAnObstacleOfACustomKind(t *testing.T) {
	b := newBench(t)
	b.widgets(t)
	b.create(t, "admin", "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: none}\nspec: {hard: {pods: \"0\"}}\n")
	b.create(t, "kubectl-create", widget)
	target := b.settled(t, "widgets.example.com/v1", "Widget", "w")
	s := scaler{b.Cluster}
	change := done(t, s, proposal("scale", target, to(3)))
	b.create(t, "controller", sized("StatefulSet", "w-0", "replicas: 1", ""))
	held(t, b, s, change, "StatefulSet w-0: FailedCreate: exceeded quota: none")
}
