package kubernetes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/workflowrun"
	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
)

// A cluster of its own, with nodes whose pods get ready: on the shared one they would
// take up the pods of other tests.
func TestOnNodes(t *testing.T) {
	c := testcluster.New(t)
	acts := acting(c.Client())
	t.Run("without Argo", func(t *testing.T) {
		ns := c.Namespace(t)
		var missing *apiclient.MissingKindError
		require.ErrorAs(t, refused(t, WorkflowRun(acts), onTrain(ns, trainOnS3)), &missing)
		require.Equal(t, "WorkflowTemplate", missing.Kind)
	})
	c.KwokNodes(t, 2)

	t.Run("place rolls out", func(t *testing.T) {
		ns := c.Namespace(t)
		c.Apply(t, web(ns, "web", 2, "a: b"))
		place := Place(acts)
		change := do(t, place, onDeployment("place", ns, "web", `{"antiAffinity": {"matchLabels": {"app": "serving"}}}`))
		require.Contains(t, until(t, place, change, engine.Done).Detail, "2 of 2 pods new, 2 ready")
	})
	t.Run("place that can't be is undone", func(t *testing.T) {
		ns := c.Namespace(t)
		place := Place(acts)
		c.Apply(t, web(ns, "web", 2, "a: b"))
		soon(t, "the pods are ready", func() bool {
			return at(t, fetch(t, c, "apps/v1", "Deployment", ns, "web"), "status", "readyReplicas") == "2"
		})
		change := do(t, place, onDeployment("place", ns, "web", `{"nodeSelector": {"kubernetes.io/hostname": "nowhere"}}`))
		require.Equal(t, engine.Running, verified(t, place, change).Status)
		soon(t, "a new pod is there, and pending", func() bool {
			return at(t, fetch(t, c, "apps/v1", "Deployment", ns, "web"), "status", "updatedReplicas") == "1"
		})
		require.Equal(t, engine.Running, verified(t, place, change).Status)
		out, err := place.(engine.Undoer).Undo(testContext(t), change)
		require.NoError(t, err)
		require.Contains(t, out.Detail, "put back")
		soon(t, "the old pods are all", func() bool {
			now := fetch(t, c, "apps/v1", "Deployment", ns, "web")
			return at(t, now, "status", "updatedReplicas") == "2" && at(t, now, "status", "replicas") == "2" && at(t, now, "status", "unavailableReplicas") == "null"
		})
	})
	t.Run("a StatefulSet serves another model", func(t *testing.T) {
		ns := c.Namespace(t)
		c.Apply(t, predictor(ns, "StatefulSet", "digits"))
		serve := ModelServe(acts)
		change := do(t, serve, wish("model.serve", "apps/v1", "StatefulSet", ns, "digits", `{"uri": "s3://digits/4", "env": "MODEL"}`))
		until(t, serve, change, engine.Done)
		pods := c.WaitPods(t, ns, "app=digits", 1)
		require.Equal(t, "s3://digits/4", pods[0].GetAnnotations()[clusterview.ModelAnnotation])
	})
	t.Run("a Job succeeds", func(t *testing.T) {
		ns := c.Namespace(t)
		box := &inbox{}
		acts := acting(c.Client())
		acts.Publish = box.publish
		c.Apply(t, scoreCronJob(ns, "completions: 2"))
		run := WorkflowRun(acts)
		change := do(t, run, onTrain(ns, `{"template": "score", "kind": "CronJob"}`))
		require.Contains(t, until(t, run, change, engine.Done).Detail, "Succeeded, 2 of 2 succeeded")
		require.Len(t, box.events, 1)
		require.Equal(t, workflowrun.Succeeded, box.events[0].Type)
		require.False(t, box.events[0].Time.IsZero())
	})
}

// The rights that a verb declares are sufficient, from Plan to Undo, and necessary.
func TestNeedsOfPlaceModelAndWorkflow(t *testing.T) {
	c, ns, _, _ := argo(t)
	c.Apply(t, lone(ns, "online", "online")+stepPod(ns, "run-infer-pod", "run-infer-0")+"---\n"+workflow(ns, "run", ", workflowTemplateRef: {name: train}", ""))
	argoTakesUp(t, c, ns, "run", underWay(alwaysRetry))
	for i, p := range c.WaitPods(t, ns, "app in (online, batch)", 2) {
		c.RunPod(t, p, ns+"-one", fmt.Sprintf("127.8.2.%d", i+1), 0)
	}
	c.Apply(t, trainTemplate(ns, "")+"---\n"+scoreCronJob(ns, "")+"---\n"+predictor(ns, "Deployment", "one")+"---\n"+workflow(ns, "batch", "", ""))
	for name, row := range map[string]struct {
		make  func(*Cluster) engine.Actuator
		needs func(Subject, map[string]any) []Need
		p     engine.Proposal
		more  engine.Proposal // needs more than that
	}{
		"place":          {Place, PlaceNeeds, onDeployment("place", ns, "one", awayFromServing), onDeployment("place", ns, "one", `{"antiAffinity": {"matchLabels": {"app": "x"}}, "workflow": "batch"}`)},
		"place-workflow": {Place, PlaceNeeds, onDeployment("place", ns, "one", `{"antiAffinity": {"matchLabels": {"app": "serving"}}, "workflow": "batch"}`), onDeployment("place", ns, "one", `{"nodeSelector": {"a": "b"}}`)},
		"place-template": {Place, PlaceNeeds, onDeployment("place", ns, "one", `{"antiAffinity": {"matchLabels": {"app": "serving"}}, "template": "train"}`), onDeployment("place", ns, "one", `{"nodeSelector": {"a": "b"}}`)},
		"place-move":     {Place, PlaceNeeds, onDeployment("place", ns, "one", `{"antiAffinity": {"matchLabels": {"app": "online"}}, "template": "train", "move": true}`), onDeployment("place", ns, "one", `{"nodeSelector": {"a": "b"}}`)},
		"model":          {ModelServe, ModelNeeds, onDeployment("model.serve", ns, "one", `{"uri": "u", "env": "MODEL"}`), wish("model.serve", "apps/v1", "StatefulSet", ns, "one", `{"uri": "u", "env": "MODEL"}`)},
		"workflow":       {WorkflowRun, WorkflowNeeds, onTrain(ns, trainOnS3), onTrain(ns, `{"template": "score", "kind": "CronJob"}`)},
		"job":            {WorkflowRun, WorkflowNeeds, onTrain(ns, `{"template": "score", "kind": "CronJob"}`), onTrain(ns, trainOnS3)},
	} {
		t.Run(name, func(t *testing.T) {
			var rules strings.Builder
			for _, n := range row.needs(Subject{APIVersion: "apps/v1", Kind: "Deployment", Namespace: ns}, row.p.With) {
				require.Equal(t, ns, n.Namespace)
				fmt.Fprintf(&rules, "- {apiGroups: [%q], resources: [%q], verbs: [%s]}\n", n.Group, n.Resource, strings.Join(n.Verbs, ", "))
			}
			client, err := apiclient.New(apiclient.Options{Kubeconfig: c.KubeconfigFor(t, ns, name)})
			require.NoError(t, err)
			c.Apply(t, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: %[1]s, namespace: %[2]s}
rules:
%[3]s
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: %[1]s, namespace: %[2]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: %[1]s}
subjects: [{kind: ServiceAccount, name: %[1]s, namespace: %[2]s}]
`, name, ns, rules.String()))
			verb := row.make(acting(client))
			var change engine.Change
			soon(t, "the role is known", func() bool {
				change, err = verb.Plan(testContext(t), row.p)
				return err == nil
			})
			_, err = verb.Apply(testContext(t), change)
			require.NoError(t, err)
			_, err = verify(t, verb, change)
			require.NoError(t, err)
			if undoer, can := verb.(engine.Undoer); can {
				_, err = undoer.Undo(testContext(t), change)
				require.NoError(t, err)
			}
			require.ErrorContains(t, refused(t, verb, row.more), "forbidden")
		})
	}
}

func TestNeedsOfWhatIsNotKnownYet(t *testing.T) {
	s := Subject{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "ml"}
	names := func(needs []Need) (out []string) {
		for _, n := range needs {
			out = append(out, n.Group+"/"+n.Resource)
		}
		return out
	}
	require.Equal(t, []string{"apps/deployments", "/events", "argoproj.io/workflowtemplates", "argoproj.io/workflows", "/pods", "/pods/eviction"}, names(PlaceNeeds(s, nil)))
	require.Equal(t, []string{"argoproj.io/workflowtemplates", "argoproj.io/workflows", "batch/cronjobs", "batch/jobs"}, names(WorkflowNeeds(s, nil)))
}
