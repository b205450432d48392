package kubernetes

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNeedsOfTheVerbs(t *testing.T) {
	s := Subject{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "ns"}
	change := []string{"get", "patch"}
	require.Equal(t, []Need{
		{"gateway.networking.k8s.io", "httproutes", change, "ns"}, {"serving.kserve.io", "inferenceservices", change, "ns"},
		{"machinelearning.seldon.io", "seldondeployments", change, "ns"}, {"networking.istio.io", "virtualservices", change, "ns"},
	}, TrafficNeeds(s, nil))
	all := []string{"get", "list", "watch", "create", "patch"}
	require.Equal(t, []Need{{"autoscaling", "horizontalpodautoscalers", all, "ns"}, {"keda.sh", "scaledobjects", all, "ns"}}, AutoscalerNeeds(s, nil))
	require.Equal(t, []Need{{"apps", "deployments", change, "ns"}}, AnnotateNeeds(s, nil))
	restart := []Need{{"apps", "deployments", change, "ns"}, {"", "events", []string{"list"}, "ns"}}
	require.Equal(t, restart, RestartNeeds(s, nil))
	s.Pods = true
	require.Equal(t, append(restart, Need{"", "pods/eviction", []string{"create"}, "ns"}), RestartNeeds(s, nil))
}
