package rbac_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/discovery"

	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/cmd/internal/rbac"
)

// Every resource and subresource of every rule, for each verb and kind, is one that the API
// server serves, with the verbs of the rule.
func TestRulesAreForWhatTheAPIServerHas(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers", "rollout", "leaderworkerset", "pytorchjob", "seldonmodel", "seldondeployment", "inferenceset", "inferenceservice",
		"dynamoscalingadapter", "raycluster", "workflow", "workflowtemplate", "httproute", "virtualservice", "scaledobject")
	lookup, err := discovery.NewDiscoveryClientForConfig(c.Client().Config)
	require.NoError(t, err)
	served := map[string]string{}
	until(t, func() error {
		_, lists, err := lookup.ServerGroupsAndResources()
		for _, list := range lists {
			group, _, grouped := strings.Cut(list.GroupVersion, "/")
			if !grouped {
				group = ""
			}
			for _, r := range list.APIResources {
				served[group+" "+r.Name] += " " + strings.Join(r.Verbs, " ") + " "
			}
		}
		if err == nil && served["keda.sh scaledobjects"] == "" {
			err = fmt.Errorf("no ScaledObjects yet")
		}
		return err
	})
	scales := 0
	for _, kind := range []string{
		"apps/v1 Deployment", "apps/v1 StatefulSet", "apps/v1 DaemonSet", "apps/v1 ReplicaSet", "batch/v1 Job", "batch/v1 CronJob", "v1 ReplicationController", "v1 Pod", "v1 Service",
		"autoscaling/v2 HorizontalPodAutoscaler", "networking.k8s.io/v1 Ingress", "argoproj.io/v1alpha1 Rollout", "argoproj.io/v1alpha1 Workflow", "argoproj.io/v1alpha1 WorkflowTemplate",
		"leaderworkerset.x-k8s.io/v1 LeaderWorkerSet", "kubeflow.org/v1 PyTorchJob", "mlops.seldon.io/v1alpha1 Model", "machinelearning.seldon.io/v1 SeldonDeployment",
		"serving.kserve.io/v1beta1 InferenceService", "kaito.sh/v1alpha1 InferenceSet", "nvidia.com/v1alpha1 DynamoGraphDeploymentScalingAdapter", "ray.io/v1 RayCluster",
		"gateway.networking.k8s.io/v1 HTTPRoute", "networking.istio.io/v1 VirtualService", "keda.sh/v1alpha1 ScaledObject",
	} {
		version, name, _ := strings.Cut(kind, " ")
		for verb, about := range actuators.Verbs {
			if about.Needs == nil {
				continue
			}
			p := plan(t, agent("ml", "a", "targets: {apiVersion: "+version+", kind: "+name+", selector: {}}", "primitives: ["+verb+"]"), rbac.Options{})
			rules := p.Cluster
			for _, r := range p.Roles(true) {
				rules = append(rules, r.Rules...)
			}
			for _, r := range rules {
				for _, resource := range r.Resources {
					has := served[r.Groups[0]+" "+resource]
					require.NotEmpty(t, has, "%s of %s: no resource %s of %q", verb, kind, resource, r.Groups[0])
					for _, v := range r.Verbs {
						require.Contains(t, has, " "+v+" ", "%s of %s: %s %s", verb, kind, v, resource)
					}
					if verb == "scale" && strings.HasSuffix(resource, "/scale") {
						scales++
					}
				}
			}
		}
	}
	require.Equal(t, 11, scales, "the kinds that have the subresource")
}

// A rule lets the process write its own Leases only: create can't be restricted to names.
func TestLeasesByName(t *testing.T) {
	const deployments = "targets: {apiVersion: apps/v1, kind: Deployment, selector: {}}"
	leases := func(o rbac.Options) (out []string) {
		for _, r := range plan(t, agent("ml", "a", deployments), o).Roles(true) {
			for _, rule := range r.Rules {
				if rule.Resources[0] == "leases" {
					out = append(out, fmt.Sprintf("%s %v %v", r.Namespace, rule.Names, rule.Verbs))
				}
			}
		}
		return out
	}
	require.Equal(t, []string{"scanflow [] [get create]", "scanflow [scanflow] [update]"}, leases(rbac.Options{}))
	require.Equal(t, []string{"ops [] [get create]", "ops [plan] [update]"}, leases(rbac.Options{Namespace: "ops", Install: "plan", Shards: 1}))
	require.Equal(t, []string{"scanflow [] [get create]", "scanflow [plan-0] [update]", "scanflow [plan-1] [update]", "scanflow [plan-2] [update]"}, leases(rbac.Options{Install: "plan", Shards: 3}))
	for _, o := range []rbac.Options{{Shards: -1}, {Install: "A b"}} {
		_, err := rbac.NewPlan(readAgents(t, agent("ml", "a", deployments)), o)
		require.Error(t, err)
	}
}
