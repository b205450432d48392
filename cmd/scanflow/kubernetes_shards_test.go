package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// tellPolicy tells the application of each target, once.
const tellPolicy = `package scanflow.strategies.t.tell

propose contains {
	"primitive": "webhook",
	"with": {"url": input.params.url, "body": {"target": input.target.name}},
	"reason": "found", "because": [],
} if not input.memory["t.tell"].last.webhook
`

// listAgent has targets that are no objects of the cluster.
const listAgent = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: teller, namespace: NAMESPACE}
spec:
  targets: {static: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}, {name: f}]}
  triggers: [{name: tick, every: 250ms}]
  strategies: [t.tell]
  primitives: [webhook]
  params: {url: "URL/call"}
  guards: {urls: ["URL/"]}
`

// scaled is the names of the targets that a daemon wrote, by its own journal.
func (d *daemon) scaled() (out []string) {
	d.t.Helper()
	_, body := d.get("/v1/decisions?limit=1000")
	var rows []struct {
		Target             struct{ Name string }
		Primitive, Verdict string
	}
	require.NoError(d.t, json.Unmarshal([]byte(body), &rows))
	for _, row := range rows {
		if row.Primitive == "scale" && row.Verdict == "admitted" {
			out = append(out, row.Target.Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Two processes share a fleet: each acts on its own part of it, under a Lease and
// ledgers of its own, and neither touches what is the other's, even once the other
// is gone. A target that is only listed in a manifest is of one part, too.
func TestKubernetesShardsActOnTheirOwnPart(t *testing.T) {
	t.Parallel()
	s := newStage(t, testcluster.Shared(t), followAgent+"---\n"+listAgent, "--shards", "2")
	s.policy("tell", tellPolicy)
	var all []string
	for i := range 8 {
		name := fmt.Sprintf("web-%d", i)
		all = append(all, name)
		s.apply(strings.NewReplacer("name: web,", "name: "+name+",", "app: web", "app: "+name).Replace(webDeployment))
	}
	s.wants(2)
	s.apply(followAgent)
	s.apply(listAgent)
	parts := []*daemon{s.daemon("--shard", "0/2", "--shard-by", "name"), s.daemon("--shard", "1/2", "--shard-by", "name")}
	everyone := func(n int64) {
		s.until(fmt.Sprintf("each has %d replicas", n), func() bool {
			return !slices.ContainsFunc(all, func(name string) bool { return s.replicas(name) != n })
		})
	}
	everyone(2)
	first, second := parts[0].scaled(), parts[1].scaled()
	require.NotEmpty(t, first)
	require.NotEmpty(t, second)
	both := slices.Concat(first, second)
	slices.Sort(both)
	require.Equal(t, all, both, "every target is of one part, and of no other")

	// Who is called, and how often, does not depend on where a target is written down.
	s.until("each listed target is told of", func() bool { return len(s.app.keys()) >= 6 })
	for _, d := range parts {
		d.fires(s.namespace+"/teller", 3)
	}
	s.app.mu.Lock()
	told := slices.Clone(s.app.body)
	s.app.mu.Unlock()
	slices.Sort(told)
	require.Equal(t, []string{`{"target":"a"}`, `{"target":"b"}`, `{"target":"c"}`, `{"target":"d"}`, `{"target":"e"}`, `{"target":"f"}`}, told)

	holders := map[string]string{}
	for _, lease := range s.list(leasesResource) {
		holders[lease.GetName()], _, _ = unstructured.NestedString(lease.Object, "spec", "holderIdentity")
	}
	require.Len(t, holders, 2)
	require.NotEmpty(t, holders["scanflow-0"])
	require.NotEmpty(t, holders["scanflow-1"])
	require.NotEqual(t, holders["scanflow-0"], holders["scanflow-1"])

	parts[1].kill()
	s.wants(3)
	s.until("the first part goes on", func() bool {
		return !slices.ContainsFunc(first, func(name string) bool { return s.replicas(name) != 3 })
	})
	parts[0].fires(s.namespace+"/follower", 4*4) // longer than the dead one's lease
	for _, name := range second {
		require.EqualValues(t, 2, s.replicas(name), "%s is of the part that nobody runs", name)
	}
	parts[1] = s.daemon("--shard", "1/2", "--shard-by", "name")
	everyone(3)
	require.Equal(t, second, parts[1].scaled())
	for _, d := range parts {
		d.stop()
	}
}
