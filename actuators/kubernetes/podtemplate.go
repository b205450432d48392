package kubernetes

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

const rolloutKind = "Rollout." + argoGroup

// checkPodTemplate refuses an object without a pod template of its own at spec.template. The
// error says where the template is, or what to act on instead.
func checkPodTemplate(o *unstructured.Unstructured) error {
	if ref := fieldpath.Text(o.Object, "spec", "workloadRef", "name"); ref != "" && kindOf(o) == rolloutKind {
		of := cmp.Or(fieldpath.Text(o.Object, "spec", "workloadRef", "kind"), "workload")
		return fmt.Errorf("the pod template of this Rollout is that of the %s %s/%s (spec.workloadRef); select that %s as the target", of, o.GetNamespace(), ref, of)
	}
	// A template of something else, as of an AIBrix StormService, has no containers.
	if _, has := fieldpath.Find(o.Object, "spec", "template", "spec", "containers"); has {
		return nil
	}
	if instead := insteadOf[kindOf(o)]; instead != "" {
		return fmt.Errorf("%s has no pod template at spec.template; %s", withArticle(o.GetKind()), instead)
	}
	return fmt.Errorf("%s has no pod template at spec.template; select the workloads that it makes, such as its Deployments", withArticle(o.GetKind()))
}

// withArticle returns "a Job" or "an InferenceSet".
func withArticle(kind string) string {
	if kind != "" && strings.Contains("AEIO", kind[:1]) {
		return "an " + kind
	}
	return "a " + kind
}

// insteadOf says what to act on in place of a kind without a pod template.
var insteadOf = map[string]string{
	"InferenceService." + kserveGroup:                "select the Deployments that KServe makes, by the label serving.kserve.io/inferenceservice",
	"LLMInferenceService." + kserveGroup:             "select the Deployments and LeaderWorkerSets that KServe makes, by the label app.kubernetes.io/name",
	"SeldonDeployment." + seldonGroup:                "select the Deployments that Seldon makes, by the label seldon-deployment-id",
	"LeaderWorkerSet.leaderworkerset.x-k8s.io":       "it has leader and worker templates; write those by the primitive `apply`, which replaces its groups",
	"RayCluster.ray.io":                              "it has a template for each group; write those by the primitive `apply`",
	"RayService.ray.io":                              "it has a template for each group; write those by the primitive `apply`",
	"PyTorchJob.kubeflow.org":                        "it runs once; start another by the primitive `workflow.run`",
	"Workflow." + argoGroup:                          "it runs once; start another by the primitive `workflow.run`",
	"WorkflowTemplate." + argoGroup:                  "it has no pods before it runs; start a run by the primitive `workflow.run`",
	"CronWorkflow." + argoGroup:                      "it has no pods between its runs; start one by the primitive `workflow.run`",
	"CronJob.batch":                                  "it has no pods between its runs; start one by the primitive `workflow.run`",
	"Pod.":                                           "nothing replaces it; select the workload that owns it",
	"HorizontalPodAutoscaler.autoscaling":            "select the workload that it scales",
	"ScaledObject.keda.sh":                           "select the workload that it scales",
	"DynamoGraphDeploymentScalingAdapter.nvidia.com": "select the workload that Dynamo makes for its service",
}

// checkReplaceable refuses a restart of an object whose pods are not replaced when its
// template changes.
func checkReplaceable(o *unstructured.Unstructured) error {
	kind := kindOf(o)
	switch kind {
	case "Job.batch":
		return errors.New("a Job runs once, and its pod template can't be changed; start another by the primitive `workflow.run`")
	case "ReplicaSet.apps", "ReplicationController.":
		owner := "a Deployment in its place"
		for _, ref := range o.GetOwnerReferences() {
			if ref.Controller != nil && *ref.Controller {
				owner = fmt.Sprintf("the %s %s, which owns it", ref.Kind, ref.Name)
			}
		}
		return fmt.Errorf("a %s replaces no pod when its template changes; select %s", o.GetKind(), owner)
	}
	if err := checkPodTemplate(o); err != nil {
		return err
	}
	on := fieldpath.Text(o.Object, "spec", "updateStrategy", "type")
	if on == "OnDelete" && (kind == "StatefulSet.apps" || kind == "DaemonSet.apps") {
		return errors.New("its pods are replaced when somebody deletes them (spec.updateStrategy.type: OnDelete); set RollingUpdate, or delete them by hand")
	}
	if paused, _, _ := unstructured.NestedBool(o.Object, "spec", "paused"); paused && kind == "Deployment.apps" {
		return fmt.Errorf("it is paused (spec.paused), so its pods are not replaced; resume it: kubectl rollout resume deployment -n %s %s", o.GetNamespace(), o.GetName())
	}
	return nil
}
