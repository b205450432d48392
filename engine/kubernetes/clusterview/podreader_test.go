package clusterview

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// A reader of pods shares the informers of the fleet, and ends its own alone.
func TestAReaderOfPodsSharesTheFleetsInformers(t *testing.T) {
	c, v := sharedView(t)
	v.linger = 0
	ns, other := c.Namespace(t), c.Namespace(t)
	c.Apply(t, web(ns, "online", 1, "a: b"))
	f := testFleet(t, v, engine.Selector{APIVersion: "apps/v1", Kind: "Deployment", Namespace: ns})
	soon(t, "the target is seen", func() bool { return len(targetsOf(t, f)) == 1 })
	own := v.informerCount()
	read, release, err := v.Pods(map[string]string{"app": "batch"})
	require.NoError(t, err)
	none := func(namespace, name, _ string) { t.Errorf("%s/%s has another label", namespace, name) }
	require.NoError(t, read(testContext(t), []string{ns, other}, none))
	require.Equal(t, own+1, v.informerCount(), "the pods of the fleet's namespace are followed for the fleet too")
	require.NoError(t, read(testContext(t), []string{ns}, none))
	require.Equal(t, own, v.informerCount(), "a namespace that is not read any more is not followed")
	require.NoError(t, read(testContext(t), []string{ns, other}, none))
	release()
	require.Equal(t, own, v.informerCount())
}
