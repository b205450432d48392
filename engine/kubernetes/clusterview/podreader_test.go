package clusterview

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// lone is a pod of an app without a controller.
func lone(ns, name, app string) string {
	return fmt.Sprintf("---\napiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: %s, labels: {app: %s}}\nspec: {containers: [{name: c, image: none}]}\n", name, ns, app)
}

func TestColocatedPodsAreASignal(t *testing.T) {
	c, v := sharedView(t)
	ns, other := c.Namespace(t), c.Namespace(t)
	c.Apply(t, web(ns, "online", 1, "a: b")+"---\n"+web(ns, "idle", 0, "a: b")+lone(ns, "batch-1", "batch")+lone(ns, "batch-2", "batch")+lone(ns, "batch-3", "batch")+lone(other, "batch-4", "batch"))
	f := testFleet(t, v, engine.Selector{APIVersion: "apps/v1", Kind: "Deployment", Namespace: ns})
	build := func(namespaces ...string) engine.Sensor {
		s, err := sensors.Kinds["colocated"].New(&sensors.ColocatedConfig{MatchLabels: map[string]string{"app": "batch"}, Namespaces: namespaces}, sensors.Env{Workloads: v})
		require.NoError(t, err)
		return s
	}
	reading := func(s engine.Sensor) map[string]engine.Signal {
		fleet, err := f.Targets(testContext(t))
		require.NoError(t, err)
		r, err := s.Sample(testContext(t), time.Unix(1, 0), fleet)
		require.NoError(t, err)
		out := map[string]engine.Signal{}
		for i := range fleet {
			out[fleet[i].Name] = r[i]
		}
		return out
	}
	s := build()
	soon(t, "the targets are seen", func() bool { return len(reading(s)) == 2 })
	require.Equal(t, engine.Signal{State: engine.Empty, Problem: "no pod of the workload has a node"}, reading(s)["online"], "its pod is pending, and shares nothing")
	online := c.WaitPods(t, ns, "app=online", 1)[0]
	c.RunPod(t, online, ns+"-one", "127.7.0.1", 0)
	soon(t, "a zero is measured", func() bool { return reading(s)["online"].Value == 0.0 })
	require.Equal(t, engine.Empty, reading(s)["idle"].State)
	pods := c.WaitPods(t, ns, "app=batch", 3)
	c.RunPod(t, pods[0], ns+"-one", "127.7.0.2", 0)
	c.RunPod(t, pods[1], ns+"-two", "127.7.0.3", 0) // elsewhere; the third stays pending
	c.RunPod(t, c.WaitPods(t, other, "app=batch", 1)[0], ns+"-one", "127.7.0.4", 0)
	soon(t, "the one beside it is seen", func() bool { return reading(s)["online"].Value == 1.0 })
	both := build(ns, other)
	soon(t, "that of another namespace too, where it is named", func() bool { return reading(both)["online"].Value == 2.0 })
	informers := func() int {
		v.mu.RLock()
		defer v.mu.RUnlock()
		return len(v.informers)
	}
	before := informers()
	both.(interface{ Release() }).Release()
	require.Equal(t, before-1, informers(), "the pods of the fleet's namespace are followed for the fleet too")

	c.Patch(t, podsResource, ns, pods[0].GetName(), `{"status": {"phase": "Succeeded"}}`, "status")
	soon(t, "what has ended does not count", func() bool { return reading(s)["online"].Value == 0.0 })

	narrow := testView(t, Options{Client: c.Client(), Namespace: ns})
	s, err := sensors.Kinds["colocated"].New(&sensors.ColocatedConfig{MatchLabels: map[string]string{"app": "batch"}, Namespaces: []string{other}}, sensors.Env{Workloads: narrow})
	require.NoError(t, err)
	_, err = s.Sample(testContext(t), time.Unix(1, 0), []engine.Target{{Namespace: ns, Name: "online"}})
	require.ErrorContains(t, err, "pods of the namespace "+other+" are asked for, and this installation may see the namespace "+ns+" alone")
}
