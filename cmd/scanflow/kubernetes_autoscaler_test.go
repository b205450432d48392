package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// Where an autoscaler owns the replicas, `scale` is refused, by its name and with the
// verb to use; once the autoscaler is gone, it is carried out.
func TestKubernetesScaleUnderAnAutoscaler(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "scaledobject")
	s := newStage(t, c, followAgent)
	s.apply(webDeployment)
	s.apply(kedaObject)
	s.wants(3)
	s.apply(followAgent)
	d := s.daemon()
	s.until("the refusal names the owner and the verb", func() bool {
		events := s.events("web")
		return strings.Contains(events, "Warning ScaleRefused") && strings.Contains(events, "ScaledObject") && strings.Contains(events, "by-queue") && strings.Contains(events, "autoscaler")
	})
	d.fires(s.namespace+"/follower", 3)
	require.EqualValues(t, 1, s.replicas("web"))
	require.NoError(t, s.cluster.Client().Dynamic.Resource(scaledResource).Namespace(s.namespace).Delete(t.Context(), "by-queue", metav1.DeleteOptions{}))
	s.scaledTo("web", 3)
	d.stop()
}
