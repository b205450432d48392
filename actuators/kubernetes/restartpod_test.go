package kubernetes

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
)

// ofPod are the parameters of a restart of one pod.
func ofPod(name string) map[string]any { return map[string]any{"pod": name} }

// podful waits until a fleet with pods has so many ready ones of a target, and returns it.
func (b *bench) podful(t *testing.T, apiVersion, kind, name string, ready int) engine.Target {
	t.Helper()
	f, err := b.View.Fleet(engine.Selector{APIVersion: apiVersion, Kind: kind, Namespace: b.ns, Pods: true})
	require.NoError(t, err)
	var found engine.Target
	soon(t, "the pods are in the target", func() bool {
		for _, target := range targetsOf(t, f) {
			if found = target; target.Name == name {
				n := 0
				for _, p := range target.Pods {
					if p.Ready {
						n++
					}
				}
				return n == ready
			}
		}
		return false
	})
	return found
}

// runAll does for the pods without a node what a scheduler and a kubelet do.
func (b *bench) runAll(t *testing.T, selector string, n int) []unstructured.Unstructured {
	t.Helper()
	pods := b.admin.WaitPods(t, b.ns, selector, n)
	for _, p := range pods {
		if nodeOf(&p) == "" {
			b.admin.RunPod(t, p, "restart-node", "127.2.1.1", 0)
		}
	}
	return pods
}

func TestRestartOfOnePod(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 2, ""))
	b.create(t, "kubectl-create", web(b.ns, "other", 1, ""))
	pods := b.runAll(t, "app=web", 2)
	other := b.admin.WaitPods(t, b.ns, "app=other", 1)[0].GetName()
	target := b.podful(t, "apps/v1", "Deployment", "web", 2)
	stuck, kept := pods[0].GetName(), pods[1].GetName()
	verb := restarter{b.Cluster}

	unlisted, older := target, target
	unlisted.Pods = nil
	older.Pods = []engine.TargetPod{{Name: stuck, Ready: true, StartedNS: 1}}
	job := target
	job.APIVersion, job.Kind = "batch/v1", "Job"
	names := "it has " + target.Pods[0].Name + ", " + target.Pods[1].Name
	for name, row := range map[string]struct {
		target engine.Target
		with   map[string]any
		want   string
	}{
		"not one of its pods":  {target, ofPod("web-x"), "restart pod web-x of Deployment " + b.ns + "/web: the target has no such pod; " + names},
		"another's pod":        {target, ofPod(other), "the target has no such pod; " + names},
		"a path":               {target, ofPod("../" + stuck), "the target has no such pod"},
		"an empty name":        {target, ofPod(""), "with.pod: must not be empty; leave it out to restart every pod"},
		"null":                 {target, map[string]any{"pod": nil}, "with.pod"},
		"a number":             {target, map[string]any{"pod": 7}, "with.pod"},
		"a list":               {target, map[string]any{"pod": []any{stuck}}, "with.pod"},
		"misspelt":             {target, map[string]any{"pods": stuck}, "with.pods: unknown field; did you mean pod?"},
		"no pods in documents": {unlisted, ofPod(stuck), "set spec.targets.pods: true in the agent's manifest"},
		"replaced since":       {older, ofPod(stuck), "it is not the pod that was decided on"},
		"of a Job":             {job, ofPod(stuck), "a Job counts it as a failure"},
	} {
		_, err := verb.Plan(testContext(t), proposal("restart", row.target, row.with))
		require.ErrorContains(t, err, row.want, name)
		require.False(t, engine.IsRetryable(err), name)
	}

	p := proposal("restart", target, ofPod(stuck))
	planned := plannedOf(t, verb, p)
	require.Equal(t, "evict pod "+stuck+", one of 2, 2 ready", planned.Diff)
	begun, err := verb.Resume(testContext(t), planned)
	require.NoError(t, err)
	require.False(t, begun)
	for _, p := range b.admin.WaitPods(t, b.ns, "app=web", 2) {
		require.Nil(t, p.GetDeletionTimestamp(), "Plan evicts nothing")
	}
	change := done(t, verb, p)
	soon(t, "the pod terminates", func() bool { return plannedOf(t, verb, p).NoOp })
	require.Equal(t, "pod "+stuck+" is being deleted already", plannedOf(t, verb, p).Diff)
	begun, err = verb.Resume(testContext(t), change)
	require.NoError(t, err)
	require.True(t, begun)
	b.admin.WaitPods(t, b.ns, "app=web", 3)
	out, err := verify(t, verb, change)
	require.NoError(t, err)
	require.Equal(t, engine.Running, out.Status, out.Detail)
	require.Equal(t, "pod "+stuck+" is being deleted, 1 of 2 ready", out.Detail)

	// Applied again, it evicts nothing more, and no other pod.
	_, err = verb.Apply(testContext(t), change)
	require.NoError(t, err)
	b.runAll(t, "app=web", 3)
	out = until(t, verb, change, engine.Done)
	require.Equal(t, "pod "+stuck+" is being deleted, 2 of 2 ready", out.Detail)
	b.admin.Delete(t, podsResource, b.ns, stuck)
	for _, p := range b.admin.WaitPods(t, b.ns, "app=web", 2) {
		require.Nil(t, p.GetDeletionTimestamp())
	}
	require.Equal(t, string(pods[1].GetUID()), string(b.read(t, "v1", "Pod", kept).GetUID()))
	soon(t, "it is said to be gone", func() bool {
		out, err := verify(t, verb, change)
		require.NoError(t, err)
		return out.Detail == "pod "+stuck+" is gone, 2 of 2 ready"
	})
	b.podful(t, "apps/v1", "Deployment", "web", 2)
	_, err = verb.Plan(testContext(t), p)
	require.ErrorContains(t, err, "the target has no such pod")

	require.NoError(t, b.deployments(t).Delete(testContext(t), "web", metav1.DeleteOptions{}))
	soon(t, "without its workload it has failed", func() bool {
		out, err := verify(t, verb, change)
		return err == nil && out.Status == engine.Failed && out.Detail == "the Deployment was deleted"
	})
	begun, err = verb.Resume(testContext(t), change)
	require.NoError(t, err)
	require.False(t, begun)
}

// The pod of a StatefulSet has the name of the one before. A change evicts the one that it was
// planned for, also where the answer was lost or the process crashed in between.
func TestRestartOfOnePodOfAStatefulSet(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, "kubectl-create", "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db}, spec: {replicas: 1, serviceName: db, selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: main, image: none}]}}}}")
	before := b.runAll(t, "app=db", 1)[0]
	target := b.podful(t, "apps/v1", "StatefulSet", "db", 1)
	anotherSecond(t) // for creationTimestamp
	var hangsUp atomic.Bool
	hangsUp.Store(true)
	lossy, _ := b.behind(t, func(w http.ResponseWriter, r *http.Request, forward func(http.ResponseWriter)) bool {
		if !strings.HasSuffix(r.URL.Path, "/eviction") || r.URL.Query().Get("dryRun") != "" || !hangsUp.Swap(false) {
			return false
		}
		forward(httptest.NewRecorder())
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
		return true
	})
	verb := restarter{lossy}
	change := plannedOf(t, verb, proposal("restart", target, ofPod("db-0")))
	require.False(t, change.NoOp)
	_, err := verb.Apply(testContext(t), change)
	require.Error(t, err)
	require.True(t, engine.IsRetryable(err), "%v", err)
	b.admin.Delete(t, podsResource, b.ns, "db-0")
	var after *unstructured.Unstructured
	soon(t, "another pod has the name", func() bool {
		o, err := b.on(t, "v1", "Pod").Get(testContext(t), "db-0", metav1.GetOptions{})
		require.True(t, err == nil || apierrors.IsNotFound(err), "%v", err)
		after = o
		return err == nil && o.GetUID() != before.GetUID()
	})
	_, err = verb.Apply(testContext(t), change)
	require.NoError(t, err)
	begun, err := verb.Resume(testContext(t), change)
	require.NoError(t, err)
	require.True(t, begun, "the pod of the plan is gone")
	b.runAll(t, "app=db", 1)
	out := until(t, verb, change, engine.Done)
	require.Equal(t, "pod db-0 is gone, 1 of 1 ready", out.Detail)
	now := b.read(t, "v1", "Pod", "db-0")
	require.Equal(t, after.GetUID(), now.GetUID())
	require.Nil(t, now.GetDeletionTimestamp())

	_, err = verb.Plan(testContext(t), proposal("restart", target, ofPod("db-0")))
	require.ErrorContains(t, err, "it is not the pod that was decided on: that one was replaced by another of the same name")
}

// A budget refuses the plan. One that comes between plan and act has the act tried again.
func TestADisruptionBudgetHolds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 2, ""))
	pods := b.runAll(t, "app=web", 2)
	target := b.podful(t, "apps/v1", "Deployment", "web", 2)
	verb := restarter{b.Cluster}
	p := proposal("restart", target, ofPod(pods[0].GetName()))
	change := plannedOf(t, verb, p)
	b.create(t, "kubectl-create", "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: keep-two}, spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}}")
	soon(t, "the budget is in force", func() bool {
		healthy, _, _ := unstructured.NestedInt64(b.read(t, "policy/v1", "PodDisruptionBudget", "keep-two").Object, "status", "currentHealthy")
		return healthy == 2
	})
	_, err := verb.Apply(testContext(t), change)
	require.ErrorContains(t, err, "evict pod "+b.ns+"/"+pods[0].GetName()+": Cannot evict pod as it would violate the pod's disruption budget.: The disruption budget keep-two needs 2 healthy pods and has 2 currently")
	require.True(t, engine.IsRetryable(err))
	_, err = verb.Plan(testContext(t), p)
	require.ErrorContains(t, err, "The disruption budget keep-two needs 2 healthy pods and has 2 currently")
	require.False(t, engine.IsRetryable(err), "the next turn plans it again")
	for _, p := range b.admin.WaitPods(t, b.ns, "app=web", 2) {
		require.Nil(t, p.GetDeletionTimestamp())
	}
	b.merge(t, "kubectl-edit", "policy/v1", "PodDisruptionBudget", "keep-two", `{"spec": {"minAvailable": 1}}`)
	soon(t, "the budget allows one", func() bool {
		allowed, _, _ := unstructured.NestedInt64(b.read(t, "policy/v1", "PodDisruptionBudget", "keep-two").Object, "status", "disruptionsAllowed")
		return allowed == 1
	})
	_, err = verb.Apply(testContext(t), change)
	require.NoError(t, err)
	require.Equal(t, engine.Running, verified(t, verb, change).Status)
	b.rescale(t, "kubectl", "web", 1)
	require.Contains(t, until(t, verb, change, engine.Done).Detail, "1 of 1 ready", "whoever scales it down wants no other pod")
}

// One pod can be restarted of every kind whose pods are found, also where a restart of all is
// refused. The pods of custom kinds are made here, as their controllers would.
func TestRestartOfOnePodByKind(t *testing.T) {
	template := "template: {metadata: {labels: {app: x}}, spec: {containers: [{name: c, image: none}]}}"
	selected := "selector: {matchLabels: {app: x}}, "
	newBench(t).admin.InstallCRDs(t, "rollout", "leaderworkerset")
	for _, row := range []struct{ text, status, want string }{
		{"{apiVersion: apps/v1, kind: ReplicaSet, spec: {replicas: 2, " + selected + template + "}}", "", "2 of 2 ready"},
		{"{apiVersion: v1, kind: ReplicationController, spec: {replicas: 2, selector: {app: x}, " + template + "}}", "", "2 of 2 ready"},
		{"{apiVersion: apps/v1, kind: Deployment, spec: {replicas: 2, " + selected + template + "}}", "", "2 of 2 ready"},
		{"{apiVersion: apps/v1, kind: StatefulSet, spec: {updateStrategy: {type: OnDelete}, podManagementPolicy: Parallel, serviceName: x, replicas: 2, " + selected + template + "}}", "", "2 of 2 ready"},
		{"{apiVersion: argoproj.io/v1alpha1, kind: Rollout, spec: {replicas: 2, strategy: {canary: {}}, " + selected + template + "}}", `{"selector": "app=x", "replicas": 2}`, "2 of 2 ready"},
		{"{apiVersion: leaderworkerset.x-k8s.io/v1, kind: LeaderWorkerSet, spec: {replicas: 2, leaderWorkerTemplate: {size: 4, workerTemplate: {}}}}", `{"hpaPodSelector": "app=x", "replicas": 2}`, "2 of 2 ready"},
	} {
		o := objectOf(t, row.text)
		t.Run(o.GetKind(), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			o.SetName("x")
			raw, err := o.MarshalJSON()
			require.NoError(t, err)
			b.create(t, "kubectl-create", string(raw))
			custom, n := row.status != "", 2
			var made func(name string) string
			if custom {
				_, err := b.on(t, o.GetAPIVersion(), o.GetKind()).Patch(testContext(t), "x", types.MergePatchType, []byte(`{"status": `+row.status+`}`), metav1.PatchOptions{FieldManager: "its-controller"}, "status")
				require.NoError(t, err)
				owner := b.create(t, "its-controller", "{apiVersion: v1, kind: ConfigMap, metadata: {name: group}}") // stands for what the controller makes the pods by
				made = func(name string) string {
					return strings.Replace(lone(b.ns, name, "x"), "metadata: {", fmt.Sprintf("metadata: {ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: group, uid: %s, controller: true}], ", owner.GetUID()), 1)
				}
				b.create(t, "its-controller", made("x-a"))
				b.create(t, "its-controller", made("x-b"))
				b.create(t, "kubectl", lone(b.ns, "x-lone", "x"))
			}
			if custom {
				n = 3
			}
			pods := b.runAll(t, "app=x", n)
			if o.GetKind() == "Deployment" {
				b.merge(t, "kubectl-rollout", "apps/v1", "Deployment", "x", `{"spec": {"paused": true}}`)
			}
			verb := restarter{b.Cluster}
			target := b.podful(t, o.GetAPIVersion(), o.GetKind(), "x", n)
			if custom {
				_, err := verb.Plan(testContext(t), proposal("restart", target, ofPod("x-lone")))
				require.ErrorContains(t, err, "nothing would make another in its place")
			}
			change := done(t, verb, proposal("restart", target, ofPod(pods[0].GetName())))
			b.admin.Delete(t, podsResource, b.ns, pods[0].GetName())
			if custom {
				soon(t, "it is gone", func() bool { return len(b.admin.WaitPods(t, b.ns, "app=x", n-1)) == n-1 })
				require.Equal(t, engine.Running, verified(t, verb, change).Status)
				b.create(t, "its-controller", made("x-c"))
			}
			soon(t, "another is ready in its place", func() bool {
				list, err := b.on(t, "v1", "Pod").List(testContext(t), metav1.ListOptions{LabelSelector: "app=x"})
				require.NoError(t, err)
				for i := range list.Items {
					if p := &list.Items[i]; nodeOf(p) == "" && p.GetDeletionTimestamp() == nil {
						b.admin.RunPod(t, *p, "restart-node", "127.2.1.2", 0)
					}
				}
				out := verified(t, verb, change)
				return out.Status == engine.Done && strings.HasSuffix(out.Detail, row.want)
			})
		})
	}
}

// The rights that the verb declares, with those to follow the target and its pods, are enough,
// and eviction is one of them.
func TestNeedsOfARestartOfOnePod(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 2, ""))
	pods := b.runAll(t, "app=web", 2)
	follow := []Need{{Group: "apps", Resource: "deployments", Verbs: []string{"list", "watch"}}, {Resource: "pods", Verbs: []string{"list", "watch"}}}
	for i, name := range []string{"without", "with"} {
		subject := Subject{APIVersion: "apps/v1", Kind: "Deployment", Namespace: b.ns, Pods: name == "with"}
		var rules strings.Builder
		for _, n := range append(RestartNeeds(subject, nil), follow...) {
			fmt.Fprintf(&rules, "- {apiGroups: [%q], resources: [%q], verbs: [%s]}\n", n.Group, n.Resource, strings.Join(n.Verbs, ", "))
		}
		b.admin.Apply(t, strings.NewReplacer("NAME", name, "NS", b.ns, "RULES", rules.String()).Replace(`
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: NAME, namespace: NS}
rules:
RULES
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: NAME, namespace: NS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: NAME}
subjects: [{kind: ServiceAccount, name: NAME, namespace: NS}]
`))
		client, err := apiclient.New(apiclient.Options{Kubeconfig: b.admin.KubeconfigFor(t, b.ns, name)})
		require.NoError(t, err)
		own := &bench{Cluster: &Cluster{Client: client, View: testView(t, clusterview.Options{Client: client, Namespace: b.ns}), Clock: b.Clock}, admin: b.admin, ns: b.ns}
		f, err := own.View.Fleet(engine.Selector{APIVersion: "apps/v1", Kind: "Deployment", Namespace: b.ns, Pods: true})
		require.NoError(t, err)
		soon(t, "the role is known", func() bool { _, err := f.Targets(testContext(t)); return err == nil })
		verb := restarter{own.Cluster}
		p := proposal("restart", own.podful(t, "apps/v1", "Deployment", "web", 2), ofPod(pods[i].GetName()))
		if name == "without" {
			_, err := verb.Plan(testContext(t), p)
			require.ErrorContains(t, err, "pods/eviction")
			require.NotNil(t, engine.MissingRight(err))
			continue
		}
		var change engine.Change
		soon(t, "the role is known", func() bool { change, err = verb.Plan(testContext(t), p); return err == nil })
		_, err = verb.Apply(testContext(t), change)
		require.NoError(t, err)
		_, err = verb.Verify(testContext(t), change)
		require.NoError(t, err)
	}
}
