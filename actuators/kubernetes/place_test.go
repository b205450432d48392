package kubernetes

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

const awayFromServing = `{"antiAffinity": {"matchLabels": {"app": "serving"}}}`

// batchWith is a Deployment whose author cares for its placement.
func batchWith(namespace string) string {
	return `
apiVersion: apps/v1
kind: Deployment
metadata: {name: batch, namespace: ` + namespace + `}
spec:
  selector: {matchLabels: {app: batch}}
  template:
    metadata: {labels: {app: batch}}
    spec:
      nodeSelector: {disk: fast}
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
          - {topologyKey: zone, labelSelector: {matchLabels: {app: db}}}
      containers: [{name: main, image: none}]
`
}

var templateSpec = []any{"spec", "template", "spec"}

func antiAffinity(list string) []any {
	return append(templateSpec[:3:3], "affinity", "podAntiAffinity", list)
}

// nextSecond waits until the API server's times, which are whole seconds, tell a write
// from those before.
func nextSecond(t testing.TB) time.Time {
	now := time.Now().Unix()
	soon(t, "the next second", func() bool { return time.Now().Unix() > now })
	return time.Now()
}

const (
	dbTerm      = `{"labelSelector":{"matchLabels":{"app":"db"}},"topologyKey":"zone"}`
	servingTerm = `{"labelSelector":{"matchLabels":{"app":"serving"}},"topologyKey":"kubernetes.io/hostname"}`
)

// One verb, three acts on three fields: none gives up what another wrote, nor what
// the author did.
func TestPlaceAddsToWhatIsThere(t *testing.T) {
	c := testcluster.Shared(t)
	ns := c.Namespace(t)
	c.Apply(t, batchWith(ns))
	place := Place(acting(c.Client()))

	nextSecond(t)
	first := do(t, place, onDeployment("place", ns, "batch", awayFromServing))
	require.Regexp(t, `^pods away from those with app=serving, by kubernetes.io/hostname, required \(beside 1 terms that are there\), taken over from test \(Apply, 20.*\); every pod is replaced$`, first.Diff)
	require.JSONEq(t, "["+dbTerm+","+servingTerm+"]", at(t, fetch(t, c, "apps/v1", "Deployment", ns, "batch"), antiAffinity(hard)...))
	require.True(t, planOf(t, place, onDeployment("place", ns, "batch", awayFromServing)).NoOp, "it is ours by now")
	again, err := place.Apply(testContext(t), first)
	require.NoError(t, err, "an answer was lost, and it is sent again")
	require.Equal(t, engine.Running, again.Status)

	// The node selector is the author's own: written before us, and left alone since.
	second := onDeployment("place", ns, "batch", `{"nodeSelector": {"pool": "batch"}}`)
	second.Written = time.Now()
	require.Contains(t, do(t, place, second).Diff, "nodes with pool=batch, taken over from test (Apply")
	now := fetch(t, c, "apps/v1", "Deployment", ns, "batch")
	require.JSONEq(t, `{"disk":"fast","pool":"batch"}`, at(t, now, append(templateSpec[:3:3], "nodeSelector")...))
	require.JSONEq(t, "["+dbTerm+","+servingTerm+"]", at(t, now, antiAffinity(hard)...), "still there")

	gone := onDeployment("place", ns, "batch", `{"antiAffinity": {"matchLabels": {"app": "serving"}}, "nodeSelector": {"pool": "batch"}, "remove": true}`)
	gone.Written = time.Now()
	require.Contains(t, do(t, place, gone).Diff, "pods no longer away from those with app=serving")
	now = fetch(t, c, "apps/v1", "Deployment", ns, "batch")
	require.JSONEq(t, `{"disk":"fast"}`, at(t, now, append(templateSpec[:3:3], "nodeSelector")...))
	require.JSONEq(t, "["+dbTerm+"]", at(t, now, antiAffinity(hard)...))
	require.True(t, planOf(t, place, gone).NoOp)
}

func TestPlaceChangesItsMind(t *testing.T) {
	c := testcluster.Shared(t)
	ns := c.Namespace(t)
	c.Apply(t, web(ns, "web", 1, "a: b"))
	place := Place(acting(c.Client()))
	do(t, place, onDeployment("place", ns, "web", awayFromServing))
	do(t, place, onDeployment("place", ns, "web", `{"antiAffinity": {"matchLabels": {"app": "serving"}, "required": false}}`))
	now := fetch(t, c, "apps/v1", "Deployment", ns, "web")
	require.JSONEq(t, "null", at(t, now, antiAffinity(hard)...))
	require.JSONEq(t, `[{"weight":100,"podAffinityTerm":`+servingTerm+`}]`, at(t, now, antiAffinity(soft)...))
	do(t, place, onDeployment("place", ns, "web", `{"antiAffinity": {"matchLabels": {"app": "serving"}}, "remove": true}`))
	require.JSONEq(t, "null", at(t, fetch(t, c, "apps/v1", "Deployment", ns, "web"), antiAffinity(soft)...))
}

func TestPlaceLeavesAloneWhatOthersWrote(t *testing.T) {
	c := testcluster.Shared(t)
	ns := c.Namespace(t)
	c.Apply(t, batchWith(ns))
	place := Place(acting(c.Client()))
	p := onDeployment("place", ns, "batch", awayFromServing)
	do(t, place, p)

	p.Written = nextSecond(t)
	applyAs(t, c, "operator", batchWith(ns)) // takes the list back
	var owned *OwnedError
	require.ErrorAs(t, refused(t, place, p), &owned)
	require.Contains(t, owned.Owner, "operator (Apply")
	require.Contains(t, owned.Fix, "kubectl annotate deployment -n "+ns+" batch "+TakeOverAnnotation)

	c.Patch(t, deploymentsResource, ns, "batch", fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, TakeOverAnnotation, time.Now().UTC().Add(time.Second).Format(time.RFC3339)))
	require.Contains(t, planOf(t, place, p).Diff, "taken over from operator")

	theirTerm := onDeployment("place", ns, "batch", `{"antiAffinity": {"matchLabels": {"app": "db"}, "topologyKey": "zone"}, "remove": true}`)
	require.ErrorAs(t, refused(t, place, theirTerm), &owned)
	require.Equal(t, "take it away where it was written", owned.Fix)
}

// Undo puts back a list that was there, and takes away one that was not, whatever has
// happened to the rest of the object meanwhile.
func TestPlaceIsUndone(t *testing.T) {
	c := testcluster.Shared(t)
	for name, row := range map[string]struct {
		object func(string) string
		after  string
	}{
		"batch": {batchWith, "[" + dbTerm + "]"},
		"web":   {func(ns string) string { return web(ns, "web", 1, "a: b") }, "null"},
	} {
		t.Run(name, func(t *testing.T) {
			ns := c.Namespace(t)
			c.Apply(t, row.object(ns))
			place := Place(acting(c.Client()))
			change := do(t, place, onDeployment("place", ns, name, awayFromServing))
			c.Patch(t, deploymentsResource, ns, name, `{"metadata":{"annotations":{"example.com/moved":"on"}}}`)
			for range 2 { // the second finds it undone
				out, err := place.(engine.Undoer).Undo(testContext(t), change)
				require.NoError(t, err)
				require.Equal(t, engine.Done, out.Status)
				require.JSONEq(t, row.after, at(t, fetch(t, c, "apps/v1", "Deployment", ns, name), antiAffinity(hard)...))
			}
			require.Equal(t, engine.Failed, verified(t, place, change).Status, "it is no longer placed so")

			do(t, place, onDeployment("place", ns, name, awayFromServing))
			applyAs(t, c, "operator", batchNamed(ns, name, "gpu"))
			_, err := place.(engine.Undoer).Undo(testContext(t), change)
			require.ErrorIs(t, err, ErrMoved, "somebody else has written it since")
		})
	}
}

func batchNamed(namespace, name, away string) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s, namespace: %s}
spec:
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: zone, labelSelector: {matchLabels: {app: %[3]s}}}]}}
      containers: [{name: main, image: none}]
`, name, namespace, away)
}

// The plan is of a version that is gone: the write goes to the new one, if the fields
// are as they were, and is a loss of theirs if not.
func TestPlaceAfterTheObjectMoved(t *testing.T) {
	c := testcluster.Shared(t)
	ns := c.Namespace(t)
	c.Apply(t, batchWith(ns))
	place := Place(acting(c.Client()))
	fine := planOf(t, place, onDeployment("place", ns, "batch", awayFromServing))
	c.Patch(t, deploymentsResource, ns, "batch", `{"metadata":{"annotations":{"example.com/moved":"on"}}}`)
	_, err := place.Apply(testContext(t), fine)
	require.NoError(t, err)

	lost := planOf(t, place, onDeployment("place", ns, "batch", `{"nodeSelector": {"pool": "batch"}}`))
	c.Patch(t, deploymentsResource, ns, "batch", `{"spec":{"template":{"spec":{"nodeSelector":{"gpu":"none"}}}}}`)
	_, err = place.Apply(testContext(t), lost)
	require.ErrorIs(t, err, ErrMoved)
	require.JSONEq(t, `{"disk":"fast","gpu":"none"}`, at(t, fetch(t, c, "apps/v1", "Deployment", ns, "batch"), append(templateSpec[:3:3], "nodeSelector")...))

	remove := planOf(t, place, onDeployment("place", ns, "batch", `{"antiAffinity": {"matchLabels": {"app": "serving"}}, "remove": true}`))
	c.Patch(t, deploymentsResource, ns, "batch", `{"metadata":{"annotations":{"example.com/moved":"further"}}}`)
	_, err = place.Apply(testContext(t), remove)
	require.NoError(t, err)
	require.JSONEq(t, "["+dbTerm+"]", at(t, fetch(t, c, "apps/v1", "Deployment", ns, "batch"), antiAffinity(hard)...), "taken away on the newer version")

	c.Apply(t, web(ns, "web", 1, "a: b"))
	do(t, place, onDeployment("place", ns, "web", awayFromServing))
	nothingLeft := planOf(t, place, onDeployment("place", ns, "web", `{"antiAffinity": {"matchLabels": {"app": "serving"}}, "remove": true}`))
	c.Patch(t, deploymentsResource, ns, "web", `{"metadata":{"annotations":{"example.com/moved":"on"}}}`)
	_, err = place.Apply(testContext(t), nothingLeft)
	require.NoError(t, err)
	require.JSONEq(t, "null", at(t, fetch(t, c, "apps/v1", "Deployment", ns, "web"), antiAffinity(hard)...), "a write that only gives up is sent again, too")
}

// A workload whose status moves all the time, as in a rollout, is written between two
// of its moves; where that can't be had, it is no reason to give up.
func TestPlaceWhileTheObjectMoves(t *testing.T) {
	c := testcluster.Shared(t)
	for name, row := range map[string]struct {
		times int64
		fine  bool
	}{
		"for some time":      {maxConflicts - 3, true}, // the controller answers each move with one of its own
		"longer than we try": {maxConflicts, false},
	} {
		t.Run(name, func(t *testing.T) {
			ns := c.Namespace(t)
			c.Apply(t, batchWith(ns))
			var writes atomic.Int64
			writes.Store(row.times)                         // nothing moves while it is planned, which is a dry run
			client, err := c.Client().Fenced(func() error { // called when a write is on its way
				if n := writes.Add(1); n <= row.times {
					c.Patch(t, deploymentsResource, ns, "batch", fmt.Sprintf(`{"metadata":{"annotations":{"example.com/moved":"%d"}}}`, n))
				}
				return nil
			})
			require.NoError(t, err)
			place := Place(acting(client))
			change := planOf(t, place, onDeployment("place", ns, "batch", awayFromServing))
			before := at(t, fetch(t, c, "apps/v1", "Deployment", ns, "batch"), antiAffinity(hard)...)
			writes.Store(0)
			_, err = place.Apply(testContext(t), change)
			if row.fine {
				require.NoError(t, err)
				require.NotEqual(t, before, at(t, fetch(t, c, "apps/v1", "Deployment", ns, "batch"), antiAffinity(hard)...))
				return
			}
			require.ErrorContains(t, err, "others wrote it at the same time, again and again")
			require.True(t, engine.IsRetryable(err))
			require.JSONEq(t, before, at(t, fetch(t, c, "apps/v1", "Deployment", ns, "batch"), antiAffinity(hard)...))
		})
	}
}

func job(namespace, name, suspend, extra string) string {
	return fmt.Sprintf(`
apiVersion: batch/v1
kind: Job
metadata: {name: %s, namespace: %s}
spec:
  suspend: %s
  template: {spec: {restartPolicy: Never, %s containers: [{name: main, image: none}]}}
`, name, namespace, suspend, extra)
}

func TestPlaceAJob(t *testing.T) {
	c := testcluster.Shared(t)
	ns := c.Namespace(t)
	c.Apply(t, job(ns, "held", "true", "")+"---"+job(ns, "running", "false", ""))
	place := Place(acting(c.Client()))
	on := func(name, with string) engine.Proposal { return wish("place", "batch/v1", "Job", ns, name, with) }

	change := do(t, place, on("held", `{"nodeSelector": {"pool": "batch"}}`))
	require.NotContains(t, change.Diff, "replaced")
	require.Equal(t, engine.Done, verified(t, place, change).Status)
	require.JSONEq(t, `{"pool":"batch"}`, at(t, fetch(t, c, "batch/v1", "Job", ns, "held"), append(templateSpec[:3:3], "nodeSelector")...))

	require.ErrorContains(t, refused(t, place, on("held", awayFromServing)), "run it by workflow.run with antiAffinity")
	_, err := c.ApplyAs(testContext(t), "test", job(ns, "held", "true", "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, labelSelector: {matchLabels: {a: b}}}]}},"))
	require.True(t, apierrors.IsInvalid(err), "the API server says so too: %v", err)

	soon(t, "the Job runs", func() bool {
		return at(t, fetch(t, c, "batch/v1", "Job", ns, "running"), "status", "startTime") != "null"
	})
	require.ErrorIs(t, refused(t, place, on("running", `{"nodeSelector": {"pool": "batch"}}`)), errStarted)
}

func workflow(namespace, name, spec, status string) string {
	return fmt.Sprintf(`
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: %s, namespace: %s}
spec: {entrypoint: main%s}
status: {%s}
`, name, namespace, spec, status)
}

func TestPlaceAWorkflowThatHasNotStarted(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "workflow")
	ns := c.Namespace(t)
	c.Apply(t, web(ns, "serving", 1, "a: b"))
	place := Place(acting(c.Client()))
	for name, row := range map[string]struct{ spec, status, refused string }{
		"new":       {"", "", ""},
		"pending":   {"", "phase: Pending", ""},
		"suspended": {", suspend: true", "phase: Running", ""},
		"labelled":  {", nodeSelector: {disk: fast}, templates: [{name: main}]", "", ""},
		"stored":    {", suspend: true", "phase: Running, storedWorkflowTemplateSpec: {entrypoint: main}", "taken over its template"},
		"running":   {"", "phase: Running", "phase Running"},
		"with-pods": {", suspend: true", "phase: Running, nodes: {x: {phase: Running}}", "phase Running"},
		"packed":    {", suspend: true", "phase: Running, compressedNodes: H4sIA", "phase Running"},
		"ended":     {"", "phase: Succeeded", "phase Succeeded"},
		"own":       {", templates: [{name: main, affinity: {nodeAffinity: {}}}]", "", "its template main has an affinity of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			c.Apply(t, workflow(ns, name, row.spec, row.status))
			p := onDeployment("place", ns, "serving", fmt.Sprintf(`{"antiAffinity": {"matchLabels": {"app": "serving"}}, "workflow": %q}`, name))
			p.Written = time.Now() // of another workflow
			if row.refused != "" {
				require.ErrorContains(t, refused(t, place, p), row.refused)
				return
			}
			change := do(t, place, p)
			require.Equal(t, engine.Done, verified(t, place, change).Status)
			now := fetch(t, c, argoVersion, "Workflow", ns, name)
			require.JSONEq(t, "["+servingTerm+"]", at(t, now, "spec", "affinity", "podAntiAffinity", hard))
			require.True(t, planOf(t, place, p).NoOp)

			undone, err := place.(engine.Undoer).Undo(testContext(t), change)
			require.NoError(t, err)
			require.Equal(t, engine.Done, undone.Status)
			require.JSONEq(t, "null", at(t, fetch(t, c, argoVersion, "Workflow", ns, name), "spec", "affinity", "podAntiAffinity", hard))
		})
	}
	t.Run("starts between plan and act", func(t *testing.T) {
		c.Apply(t, workflow(ns, "racing", "", ""))
		change := planOf(t, place, wish("place", argoVersion, "Workflow", ns, "racing", awayFromServing))
		c.Apply(t, workflow(ns, "racing", "", "phase: Running"))
		_, err := place.Apply(testContext(t), change)
		require.ErrorIs(t, err, errStarted)
		require.JSONEq(t, "null", at(t, fetch(t, c, argoVersion, "Workflow", ns, "racing"), "spec", "affinity"))
	})
}

func TestPlaceRefuses(t *testing.T) {
	c := testcluster.Shared(t)
	ns := c.Namespace(t)
	c.Apply(t, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes, namespace: %s}\n", ns))
	place := Place(acting(c.Client()))
	for name, row := range map[string]struct {
		p    engine.Proposal
		want []string
	}{
		"nothing":   {onDeployment("place", ns, "web", `{}`), []string{"must say where"}},
		"bad":       {onDeployment("place", ns, "web", `{"antiAffinity": {"matchLabels": {}, "topologyKey": ""}, "remove": 1}`), []string{"matchLabels", "topologyKey", "remove"}},
		"no pods":   {wish("place", "v1", "ConfigMap", ns, "notes", awayFromServing), []string{"a ConfigMap has no pod template"}},
		"not there": {onDeployment("place", ns, "web", awayFromServing), []string{`"web" not found`}},
	} {
		t.Run(name, func(t *testing.T) {
			err := refused(t, place, row.p)
			for _, w := range row.want {
				require.ErrorContains(t, err, w)
			}
		})
	}
	err := refused(t, place, wish("place", "example.com/v1", "Nothing", ns, "x", awayFromServing))
	var missing *apiclient.MissingKindError
	require.True(t, errors.As(err, &missing), "%v", err)
}

// Where the other kinds keep it.
func TestPlaceOfOtherKinds(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "workflowtemplate", "inferenceservice")
	ns := c.Namespace(t)
	c.Apply(t, trainTemplate(ns, "")+"---\n"+scoreCronJob(ns, "")+"---\n"+inference(ns, "digits", `{model: {storageUri: "s3://digits/3"}}`))
	place := Place(acting(c.Client()))
	for name, row := range map[string]struct {
		apiVersion, kind string
		spec             []any
		verified         engine.Status
	}{
		"train":  {argoVersion, "WorkflowTemplate", []any{"spec"}, engine.Done},
		"score":  {"batch/v1", "CronJob", []any{"spec", "jobTemplate", "spec", "template", "spec"}, engine.Done},
		"digits": {kserveGroup + "/v1beta1", "InferenceService", []any{"spec", "predictor"}, engine.Running},
	} {
		t.Run(row.kind, func(t *testing.T) {
			p := wish("place", row.apiVersion, row.kind, ns, name, `{"affinity": {"matchLabels": {"app": "serving"}, "topologyKey": "zone", "namespaces": ["ml", "web"]}, "nodeSelector": {"pool": "gpu"}}`)
			change := do(t, place, p)
			require.Equal(t, "pods near to those with app=serving in ml and web, by zone, required; nodes with pool=gpu", change.Diff)
			now := fetch(t, c, row.apiVersion, row.kind, ns, name)
			require.JSONEq(t, `{"podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"labelSelector":{"matchLabels":{"app":"serving"}},"topologyKey":"zone","namespaces":["ml","web"]}]}}`, at(t, now, append(row.spec, "affinity")...))
			require.JSONEq(t, `{"pool":"gpu"}`, at(t, now, append(row.spec, "nodeSelector")...))
			require.Equal(t, row.verified, verified(t, place, change).Status)
			require.True(t, planOf(t, place, p).NoOp)
		})
	}
}
