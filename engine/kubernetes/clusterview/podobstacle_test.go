package clusterview

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhyAPodIsNoReplica(t *testing.T) {
	const (
		scheduled = `{"type": "PodScheduled", "status": "True"}`
		unready   = scheduled + `, {"type": "Ready", "status": "False", "reason": "ContainersNotReady"}`
	)
	main := func(state string) string {
		return `"containerStatuses": [{"name": "main", "image": "example.com/x:1", "ready": false, ` + state + `}]`
	}
	for name, row := range map[string]struct {
		node, conditions, status string
		want                     string
		transient                bool
	}{
		"ready":   {"n", `{"type": "Ready", "status": "True"}`, `"phase": "Running"`, "", false},
		"ended":   {"n", unready, `"phase": "Succeeded"`, "", false},
		"evicted": {"n", unready, `"phase": "Failed", "reason": "Evicted"`, "", false},
		"no node fits": {
			"", `{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: 3 No preemption victims found."}`, `"phase": "Pending"`,
			"Unschedulable: 0/3 nodes are available: 3 Insufficient cpu.", false,
		},
		"no scheduler":                         {"", "", `"phase": "Pending"`, "Pending: no scheduler has taken it up (schedulerName default-scheduler)", true},
		"not admitted":                         {"n", scheduled, `"phase": "Pending", "reason": "NodeAffinity", "message": "it does not fit"`, "NodeAffinity: it does not fit", false},
		"no status yet":                        {"n", scheduled, `"phase": "Pending"`, "ContainerCreating on node n", true},
		"being created":                        {"n", unready, `"phase": "Pending", ` + main(`"state": {"waiting": {"reason": "ContainerCreating"}}`), "ContainerCreating: container main", true},
		"image, first":                         {"n", unready, `"phase": "Pending", ` + main(`"state": {"waiting": {"reason": "ErrImagePull", "message": "rpc error: code = NotFound\n desc = no"}}`), "ImagePullBackOff: container main, image example.com/x:1: rpc error: code = NotFound desc = no", false},
		"image, then":                          {"n", unready, `"phase": "Pending", ` + main(`"state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"example.com/x:1\": ErrImagePull: rpc error: code = NotFound desc = no"}}`), "ImagePullBackOff: container main, image example.com/x:1: rpc error: code = NotFound desc = no", false},
		"image, earlier kubelets":              {"n", unready, `"phase": "Pending", ` + main(`"state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"example.com/x:1\""}}`), "ImagePullBackOff: container main, image example.com/x:1", false},
		"image name":                           {"n", unready, `"phase": "Pending", ` + main(`"state": {"waiting": {"reason": "InvalidImageName", "message": "couldn't parse"}}`), "InvalidImageName: container main: couldn't parse", false},
		"image never":                          {"n", unready, `"phase": "Pending", ` + main(`"state": {"waiting": {"reason": "ErrImageNeverPull", "message": "not present"}}`), "ErrImageNeverPull: container main: not present", false},
		"configuration":                        {"n", unready, `"phase": "Pending", ` + main(`"state": {"waiting": {"reason": "CreateContainerConfigError", "message": "secret \"db\" not found"}}`), `CreateContainerConfigError: container main: secret "db" not found`, false},
		"crashed once":                         {"n", unready, `"phase": "Running", ` + main(`"state": {"terminated": {"exitCode": 1, "reason": "Error"}}`), "container main ended with exit code 1", false},
		"crash loop":                           {"n", unready, `"phase": "Running", ` + main(`"restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}`), "CrashLoopBackOff: container main ended with exit code 137, OOMKilled", false},
		"crash loop, up":                       {"n", unready, `"phase": "Running", ` + main(`"restartCount": 3, "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}`), "CrashLoopBackOff: container main ended with exit code 137, OOMKilled", false},
		"ends at once":                         {"n", unready, `"phase": "Running", ` + main(`"restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 0, "reason": "Completed"}}`), "CrashLoopBackOff: container main ended with exit code 0, Completed", false},
		"can't start":                          {"n", unready, `"phase": "Running", ` + main(`"restartCount": 1, "state": {"terminated": {"exitCode": 128, "reason": "StartError", "message": "exec: \"serve\": not found"}}`), `CrashLoopBackOff: container main ended with exit code 128, StartError: exec: "serve": not found`, false},
		"a program's last words are not shown": {"n", unready, `"phase": "Running", ` + main(`"restartCount": 1, "state": {"terminated": {"exitCode": 1, "reason": "Error", "message": "password=s3cret"}}`), "CrashLoopBackOff: container main ended with exit code 1", false},
		"runs":                                 {"n", unready, `"phase": "Running", ` + main(`"state": {"running": {}}`), "running, not ready", true},
		"readiness gate":                       {"n", scheduled + `, {"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady", "message": "no gate"}`, `"phase": "Running", "containerStatuses": [{"name": "main", "ready": true, "state": {"running": {}}}]`, "running, not ready: no gate", true},
		"init container fails":                 {"n", unready, `"phase": "Pending", "initContainerStatuses": [{"name": "fetch", "ready": false, "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 2, "reason": "Error"}}}], ` + main(`"state": {"waiting": {"reason": "PodInitializing"}}`), "CrashLoopBackOff: init container fetch ended with exit code 2", false},
		"init container runs":                  {"n", unready, `"phase": "Pending", "initContainerStatuses": [{"name": "fetch", "ready": false, "started": false, "state": {"running": {}}}], ` + main(`"state": {"waiting": {"reason": "PodInitializing"}}`), "init container fetch has not ended", true},
		"init container is done":               {"n", unready, `"phase": "Pending", "initContainerStatuses": [{"name": "fetch", "ready": true, "state": {"terminated": {"exitCode": 0}}}], ` + main(`"state": {"waiting": {"reason": "ErrImagePull"}}`), "ImagePullBackOff: container main, image example.com/x:1", false},
		"a second container crashes":           {"n", unready, `"phase": "Running", "containerStatuses": [{"name": "main", "ready": false, "state": {"running": {}}}, {"name": "log", "ready": false, "restartCount": 1, "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}]`, "CrashLoopBackOff: container log ended with exit code 3", false},
	} {
		t.Run(name, func(t *testing.T) {
			u := decoded(t, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n", "creationTimestamp": "2026-01-02T03:04:05Z"},
				"spec": {"nodeName": %q, "schedulerName": "default-scheduler", "containers": [{"name": "main"}]}, "status": {"conditions": [%s], %s}}`, row.node, row.conditions, row.status))
			for _, sent := range []any{inJSON(t, u), inProtobuf(t, u)} {
				d, _ := decodedFrom(sent)
				o := newCachedPod(d, &interner{}).obstacle
				if row.want == "" {
					require.Nil(t, o)
					continue
				}
				require.NotNil(t, o)
				require.Equal(t, row.want, o.reason)
				require.Equal(t, row.transient, o.transient)
				require.False(t, o.since.IsZero())
			}
		})
	}
}

func TestAReasonIsShort(t *testing.T) {
	u := decoded(t, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}, "status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "%0999d"}]}}`, 0))
	d, _ := decodedFrom(u)
	require.LessOrEqual(t, len(newCachedPod(d, &interner{}).obstacle.reason), maxReason+len("..."))
}

// The name of a pod that can't be made is another at each attempt.
func TestTheNameOfAPodThatIsNotMade(t *testing.T) {
	for message, want := range map[string]string{
		`pods "web-5c-x2x9z" is forbidden: exceeded quota: q`:                                              "exceeded quota: q",
		`Error creating: pods "web-5c-x2x9z" is forbidden: exceeded quota: q`:                              "exceeded quota: q",
		`create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: exceeded quota: q`:      "exceeded quota: q",
		`Pod "web-5c-x2x9z" is invalid: spec: no`:                                                          "spec: no",
		`Error creating: admission webhook "a.example.com" denied the request: no`:                         `admission webhook "a.example.com" denied the request: no`,
		`Error creating: Internal error occurred: failed calling webhook "a.example.com": no endpoints`:    `Internal error occurred: failed calling webhook "a.example.com": no endpoints`,
		`admission webhook "a.example.com" denied the request: pods "x" is forbidden: as it is my opinion`: `admission webhook "a.example.com" denied the request: pods "x" is forbidden: as it is my opinion`,
	} {
		require.Equal(t, want, withoutPodName(message))
	}
}

func TestConditionsThatReportAFailure(t *testing.T) {
	for conditions, want := range map[string]string{
		``: "",
		`{"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"}`:                                                                      "",
		`{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}`:                                                                              "",
		`{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "ReplicaSet \"w\" has timed out progressing."}`:            `false ProgressDeadlineExceeded: ReplicaSet "w" has timed out progressing.`,
		`{"type": "Progressing", "status": "False", "reason": "late"}, {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "no"}`: "true FailedCreate: no",
		`{"type": "ReplicaFailure", "status": "False", "reason": "FailedCreate", "message": "no"}`:                                                              "",
	} {
		text, firm := FailedCondition(decoded(t, `{"apiVersion": "apps/v1", "kind": "Deployment", "status": {"conditions": [`+conditions+`]}}`).Object)
		if text != "" {
			text = fmt.Sprint(firm, " ", text)
		}
		require.Equal(t, want, text)
	}
}

// The output of a failed probe or hook is a program's, and may hold a secret.
func TestAnEventOfAProgramIsItsReasonAlone(t *testing.T) {
	event := func(reason, message string) map[string]any {
		return map[string]any{"reason": reason, "message": message}
	}
	for want, e := range map[string]map[string]any{
		`FailedMount: MountVolume.SetUp failed for volume "model": secret "s3" not found`: event("FailedMount", `MountVolume.SetUp failed for volume "model": secret "s3" not found`),
		"FailedCreate: exceeded quota: small":                                             event("FailedCreate", `create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: exceeded quota: small`),
		"Unhealthy":                                                                       event("Unhealthy", "Readiness probe failed: dial postgres://app:s3cret@db"),
		"FailedPostStartHook":                                                             event("FailedPostStartHook", "PostStartHook failed: token=s3cret"),
		"BackOff":                                                                         event("BackOff", "Back-off restarting failed container"),
		"Failed":                                                                          event("Failed", "Error: s3cret"),
		"SomethingElse":                                                                   event("SomethingElse", "s3cret"),
	} {
		require.Equal(t, want, EventText(e))
	}
}
