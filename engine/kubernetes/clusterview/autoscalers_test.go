package clusterview

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

func TestAutoscalersAreFollowedForAsLongAsTheFleet(t *testing.T) {
	c := testcluster.Shared(t)
	client, err := apiclient.FromConfig(c.Client().Config, "default", apiclient.Options{})
	require.NoError(t, err)
	v := testView(t, Options{Client: client})
	v.linger = 0
	ns := c.Namespace(t)
	c.Apply(t, web(ns, "web", 2, ""))
	f := testFleet(t, v, deploymentsIn(ns, nil))
	targetsOf(t, f)
	owned := func() bool {
		_, owned, err := v.AutoscalerOf(testContext(t), engine.TargetID{Kind: "Deployment", Namespace: ns, Name: "web"})
		require.NoError(t, err)
		return owned
	}
	require.False(t, owned())
	before := client.Requests()
	for range 20 {
		owned()
	}
	require.Equal(t, before, client.Requests(), "no request is made for a plan")
	f.(*Fleet).Release()
	v.mu.RLock()
	defer v.mu.RUnlock()
	require.Empty(t, v.informers)
}
