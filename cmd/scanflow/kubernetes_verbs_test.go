package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// verbAgent is mode MODE over the kind TARGETS, with the primitive VERB.
const verbAgent = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: planner, namespace: NAMESPACE}
spec:
  mode: MODE
  targets: {TARGETS, selector: {matchLabels: {scaled: "yes"}}}
  triggers: [{name: tick, every: 250ms}]
  sensors: [{name: want, http: {url: "URL/load", pointer: /load}}]
  strategies: [t.verb]
  primitives: [VERB]
`

// verbPolicy proposes VERB for any number but 0, as far as CONDITION holds.
const verbPolicy = `package scanflow.strategies.t.verb

propose contains p if {
	n := input.signals.want.value
	n > 0
	CONDITION
	p := {"primitive": "VERB", "with": WITH, "reason": "wanted", "because": ["want"]}
}
`

const (
	gateway = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: digits, namespace: NAMESPACE}
spec:
  parentRefs: [{name: front}]
  rules: [{backendRefs: [{name: large, port: 80, weight: 100}, {name: small, port: 80, weight: 0}]}]
`
	kedaObject = `apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: by-queue, namespace: NAMESPACE}
spec:
  scaleTargetRef: {name: web}
  maxReplicaCount: 9
  triggers: [{type: cron, metadata: {timezone: UTC, start: 0 0 * * *, end: 0 1 * * *, desiredReplicas: "1"}}]
`
	kedaHPA = `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: keda-hpa-by-queue, namespace: NAMESPACE}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 1
  maxReplicas: MAX
  metrics: [{type: External, external: {metric: {name: s0-cron}, target: {type: AverageValue, averageValue: "1"}}}]
`
	waitingWorkflow = `apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: batch, namespace: NAMESPACE}
spec: {entrypoint: main, suspend: true, templates: [{name: main, container: {image: none}}]}
`
	trainTemplate = `apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: train, namespace: NAMESPACE}
spec: {entrypoint: main, arguments: {parameters: [{name: round}]}, templates: [{name: main, container: {image: none}}]}
`
	digitsService = `apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: digits, namespace: NAMESPACE, labels: {scaled: "yes"}, annotations: {serving.kserve.io/deploymentMode: Knative}}
spec: {predictor: {model: {modelFormat: {name: onnx}, storageUri: "s3://models/digits/1"}}}
`
	deploymentTargets = "apiVersion: apps/v1, kind: Deployment"
	serviceTargets    = "apiVersion: serving.kserve.io/v1beta1, kind: InferenceService"
)

var (
	hpasResource         = schema.GroupVersionResource{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"}
	scaledResource       = schema.GroupVersionResource{Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"}
	routesResource       = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}
	workflowsResource    = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "workflows"}
	servicesResource     = schema.GroupVersionResource{Group: "serving.kserve.io", Version: "v1beta1", Resource: "inferenceservices"}
	configMapsResource   = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	leasesResource       = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}
	writableByVerbs      = []schema.GroupVersionResource{deploymentsResource, hpasResource, scaledResource, routesResource, workflowsResource, servicesResource, configMapsResource, jobsResource}
	definitionsOfOthers  = []string{"httproute", "inferenceservice", "scaledobject", "workflow", "workflowtemplate"}
	antiAffinityTopology = []string{"podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "0", "topologyKey"}
)

// rolledOut waits until the Deployment's pods are ready and no controller has anything left
// to write.
func (s *stage) rolledOut(name string) {
	s.t.Helper()
	s.until(name+" is rolled out", func() bool {
		o := s.get(deploymentsResource, name)
		ready, _, _ := unstructured.NestedInt64(o.Object, "status", "readyReplicas")
		observed, _, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
		conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
		return ready == s.replicas(name) && observed == o.GetGeneration() && strings.Contains(fmt.Sprint(conditions), "NewReplicaSetAvailable")
	})
}

// kserve writes what KServe's controller does in Knative mode: the newest revision is ready,
// and gets a share of the requests.
func (s *stage) kserve(revision string, share int) {
	s.t.Helper()
	s.patch(servicesResource, "digits", map[string]any{"status": map[string]any{
		"components": map[string]any{"predictor": map[string]any{
			"latestCreatedRevision": revision, "latestReadyRevision": revision, "latestRolledoutRevision": revision, "previousRolledoutRevision": "digits-00001",
			"traffic": []any{map[string]any{"latestRevision": true, "revisionName": revision, "percent": share}},
		}},
		"conditions": []any{map[string]any{"type": "Ready", "status": "True"}},
	}}, "status")
}

// fires waits for so many firings of an agent.
func (d *daemon) fires(agent string, times int) {
	d.t.Helper()
	_, before := d.get("/metrics")
	d.until("the agent fires on", func() bool {
		_, now := d.get("/metrics")
		return firingsOf(now, agent) >= firingsOf(before, agent)+times
	})
}

func (d *daemon) until(what string, check func() bool) {
	d.t.Helper()
	(&stage{t: d.t}).until(what, check)
}

// acts counts the acts of a verb that ended, dry ones or real ones, by the log.
func (d *daemon) acts(verb string, dry bool) (n int) {
	for _, line := range d.lines() {
		if line["@message"] == "acted" && line["primitive"] == verb && line["dry_run"] == dry {
			n++
		}
	}
	return n
}

// Each verb, by the same kind of strategy, through `scanflow run --kubernetes` under
// exactly the roles that `scanflow rbac` prints for that one agent: first as a dry run,
// which writes nothing; then for real, once, under a field manager of its own, and
// reported by an event on the target.
func TestKubernetesEachVerb(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	c.InstallCRDs(t, definitionsOfOthers...)
	for name, row := range map[string]struct {
		verb, targets, objects string
		target                 string // "web" if it isn't said
		with, condition        string // Rego
		rbac                   []string
		look                   func(s *stage) string
		before, want           string         // what is to be seen: at first, and for 3
		again                  string         // for 4, if it is another act
		first, meanwhile       func(s *stage) // what others do before and after the act
		writes                 schema.GroupVersionResource
		name                   string // of what is written
		event                  string
	}{
		"an HPA": {
			verb:  "autoscaler",
			with:  `{"min": 1, "max": n, "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]}`,
			look:  func(s *stage) string { return s.field(hpasResource, "web", "spec", "maxReplicas") },
			want:  "3",
			again: "4", writes: hpasResource, name: "web",
			meanwhile: func(s *stage) { // what its controller does, which looks every 15 s
				condition := func(name string) any {
					return map[string]any{"type": name, "status": "True", "reason": "Test", "message": "as the controller"}
				}
				s.patch(hpasResource, "web", map[string]any{"status": map[string]any{
					"observedGeneration": s.get(hpasResource, "web").GetGeneration(), "currentReplicas": 1, "desiredReplicas": 1,
					"conditions": []any{condition("AbleToScale"), condition("ScalingActive")},
				}}, "status")
			},
			event: "Normal Autoscaler: make HorizontalPodAutoscaler NAMESPACE/web: 1 to 3 replicas",
		},
		"a ScaledObject's bounds": {
			verb: "autoscaler", objects: kedaObject, with: `{"max": n}`,
			look:   func(s *stage) string { return s.field(scaledResource, "by-queue", "spec", "maxReplicaCount") },
			before: "9", want: "3", again: "4", writes: scaledResource, name: "by-queue",
			meanwhile: func(s *stage) { // what KEDA does
				s.apply(strings.Replace(kedaHPA, "MAX", s.field(scaledResource, "by-queue", "spec", "maxReplicaCount"), 1))
				s.patch(scaledResource, "by-queue", map[string]any{"status": map[string]any{"hpaName": "keda-hpa-by-queue"}}, "status")
			},
			event: "Normal Autoscaler: ScaledObject NAMESPACE/by-queue: spec.maxReplicaCount 9 -> 3, taken over from test (Apply",
		},
		"place a workload": {
			verb: "place", with: `{"antiAffinity": {"matchLabels": {"app": "online"}}}`,
			look: func(s *stage) string {
				return s.field(deploymentsResource, "web", append([]string{"spec", "template", "spec", "affinity"}, antiAffinityTopology...)...)
			},
			want: "kubernetes.io/hostname", writes: deploymentsResource, name: "web",
			event: "Normal Place: ",
		},
		"place a workflow that waits": {
			verb: "place", objects: waitingWorkflow, with: `{"workflow": "batch", "antiAffinity": {"matchLabels": {"app": input.target.name}}}`,
			look: func(s *stage) string {
				return s.field(workflowsResource, "batch", append([]string{"spec", "affinity"}, antiAffinityTopology...)...)
			},
			want: "kubernetes.io/hostname", writes: workflowsResource, name: "batch",
			event: "Normal Place: ",
		},
		"shift a route": {
			verb: "traffic", objects: gateway, with: `{"route": "digits", "weights": {"large": 100 - n, "small": n}}`,
			look: func(s *stage) string {
				return s.field(routesResource, "digits", "spec", "rules", "0", "backendRefs", "0", "weight") + ":" +
					s.field(routesResource, "digits", "spec", "rules", "0", "backendRefs", "1", "weight")
			},
			before: "100:0", want: "97:3", again: "96:4", writes: routesResource, name: "digits",
			event: "Normal Traffic: HTTPRoute NAMESPACE/digits: weights large 100 -> 97, small 0 -> 3, taken over from test (Apply",
		},
		"a canary's share": {
			verb: "traffic", targets: serviceTargets, target: "digits", objects: digitsService,
			with: `{"route": "digits", "kind": "InferenceService", "weights": {"latest": n, "previous": 100 - n}}`,
			look: func(s *stage) string {
				return s.field(servicesResource, "digits", "spec", "predictor", "canaryTrafficPercent")
			},
			before: "", want: "3", writes: servicesResource, name: "digits",
			first:     func(s *stage) { s.kserve("digits-00002", 100) },
			meanwhile: func(s *stage) { s.kserve("digits-00002", 3) },
			event:     "Normal Traffic: InferenceService NAMESPACE/digits: weights latest 100 -> 3, previous 0 -> 97",
		},
		"restart": {
			verb: "restart", with: `{}`, condition: `not input.memory["t.verb"].last.restart`,
			look: func(s *stage) string {
				return fmt.Sprint(s.field(deploymentsResource, "web", "spec", "template", "metadata", "annotations", "scanflow.dev/restart") != "")
			},
			before: "false", want: "true", writes: deploymentsResource, name: "web",
			event: "Normal Restart: replace every pod",
		},
		"a model by a variable": {
			verb: "model.serve", with: `{"version": sprintf("v%d", [n]), "env": "MODEL"}`,
			condition: `object.get(input.target, "model", "") != sprintf("v%d", [n])`, // the document tells what is in service
			look: func(s *stage) string {
				return s.field(deploymentsResource, "web", "spec", "template", "spec", "containers", "0", "env", "0", "value")
			},
			want: "v3", again: "v4", writes: deploymentsResource, name: "web",
			event: "Normal ModelServe: ",
		},
		"a model of KServe": {
			verb: "model.serve", targets: serviceTargets, target: "digits", objects: digitsService,
			with: `{"uri": sprintf("s3://models/digits/%d", [n])}`,
			look: func(s *stage) string {
				return s.field(servicesResource, "digits", "spec", "predictor", "model", "storageUri")
			},
			before: "s3://models/digits/1", want: "s3://models/digits/3", writes: servicesResource, name: "digits",
			first:     func(s *stage) { s.kserve("digits-00002", 100) },
			meanwhile: func(s *stage) { s.kserve("digits-00003", 100) },
			event:     "spec.predictor.model.storageUri s3://models/digits/1 -> s3://models/digits/3, taken over from test (Apply",
		},
		"run a workflow": {
			verb: "workflow.run", objects: trainTemplate, with: `{"template": "train", "parameters": {"round": sprintf("%d", [n])}}`,
			condition: `not input.memory["t.verb"].last["workflow.run"]`,
			look: func(s *stage) string {
				var runs []string
				for _, o := range s.list(workflowsResource) {
					runs = append(runs, fieldIn(o.Object, "spec", "arguments", "parameters", "0", "value"))
				}
				return strings.Join(runs, " and ")
			},
			want: "3",
			meanwhile: func(s *stage) { // what Argo's controller does
				run := s.list(workflowsResource)[0].GetName()
				s.patch(workflowsResource, run, map[string]any{"status": map[string]any{"phase": "Succeeded", "progress": "1/1"}})
			},
			event: "Normal WorkflowRun: run WorkflowTemplate train as Workflow train-",
		},
		"apply an object": {
			verb: "apply", rbac: []string{"--apply", "ConfigMap"},
			with:  `{"object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "limits"}, "data": {"n": sprintf("%d", [n])}}}`,
			look:  func(s *stage) string { return s.field(configMapsResource, "limits", "data", "n") },
			want:  "3",
			again: "4", writes: configMapsResource, name: "limits",
			event: "Normal Apply: make ConfigMap NAMESPACE/limits",
		},
		"annotate": {
			verb: "annotate", with: `{"annotations": {"example.com/n": sprintf("%d", [n])}}`,
			look: func(s *stage) string {
				return s.field(deploymentsResource, "web", "metadata", "annotations", "example.com/n")
			},
			want:  "3",
			again: "4", writes: deploymentsResource, name: "web",
			event: "Normal Annotate: Deployment NAMESPACE/web: metadata.annotations['example.com/n'] none -> 3",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if row.targets == "" {
				row.targets, row.target = deploymentTargets, "web"
			}
			agent := strings.NewReplacer("TARGETS", row.targets, "VERB", row.verb).Replace(verbAgent)
			mode := func(mode string) string { return strings.Replace(agent, "MODE", mode, 1) }
			s := newStage(t, c, mode("enforce"), row.rbac...)
			s.policy("verb", strings.NewReplacer("VERB", row.verb, "WITH", row.with, "CONDITION", row.condition).Replace(verbPolicy))
			s.apply(webDeployment)
			if row.objects != "" {
				s.apply(row.objects)
			}
			if row.first != nil {
				row.first(s)
			}
			s.rolledOut("web")
			versions := s.versions()
			require.Equal(t, row.before, row.look(s))

			s.wants(3)
			s.apply(mode("dry-run"))
			d := s.daemon()
			d.until("the dry run has acted", func() bool { return d.acts(row.verb, true) > 0 })
			d.fires(s.namespace+"/planner", 2)
			require.Equal(t, versions, s.versions(), "a dry run writes nothing")
			require.Empty(t, s.events(row.target))

			s.apply(mode("enforce"))
			s.until("the first act", func() bool { return row.look(s) == row.want })
			if row.meanwhile != nil {
				row.meanwhile(s)
			}
			event := s.filled(row.event)
			s.until("the event "+event, func() bool { return strings.Contains(s.events(row.target), event) })
			d.fires(s.namespace+"/planner", 3)
			require.Equal(t, 1, d.acts(row.verb, false), "one act is enough")
			require.Equal(t, row.want, row.look(s))
			if row.again != "" {
				s.wants(4)
				s.until("the second act", func() bool { return row.look(s) == row.again })
				if row.meanwhile != nil {
					row.meanwhile(s)
				}
				d.until("it is done", func() bool { return d.acts(row.verb, false) == 2 })
			}
			if row.name != "" {
				manager := "scanflow-" + strings.ReplaceAll(row.verb, ".", "-")
				require.Contains(t, fmt.Sprint(s.get(row.writes, row.name).GetManagedFields()), manager)
			}
			require.NotContains(t, strings.ToLower(d.text()), "forbidden", "the roles are enough")
			d.stop()
		})
	}
}
