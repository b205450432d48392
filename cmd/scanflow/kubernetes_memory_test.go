package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// A budget that is spent, and a cooldown that runs, bind the next leader too, though it
// is another process with an empty disk: the cluster remembers.
func TestKubernetesTheNextLeaderIsBoundByWhatTheLastOneDid(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		guards string
		acts   []int // wanted one after the other
		then   int   // wanted of the next leader, in vain
		by     string
	}{
		"a budget":   {"{budget: {actions: 2, per: 1h}}", []int{2, 3}, 4, "guards.budget"},
		"a cooldown": {"{cooldown: {down: 1h}}", []int{4}, 2, "guards.cooldown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, testcluster.Shared(t), followAgent)
			s.apply(webDeployment)
			s.apply(followAgent + "  guards: " + row.guards + "\n")
			s.wants(1)
			first := s.daemon()
			for i, n := range row.acts {
				s.wants(n)
				s.scaledTo("web", int64(n))
				first.until("the act has ended", func() bool { return first.acts("scale", false) == i+1 })
			}
			first.kill()
			s.wants(row.then)
			next := s.daemon()
			next.until("it is refused", func() bool { return strings.Contains(next.text(), `"by":"`+row.by+`"`) })
			next.fires(s.namespace+"/follower", 3)
			require.NotContains(t, next.text(), `"verdict":"admitted"`) // the last act's outcome it may have had to settle
			require.EqualValues(t, row.acts[len(row.acts)-1], s.replicas("web"))
			next.stop()
		})
	}
}

// An agent that has nothing to do asks nothing of the API server, however often it
// looks: what it knows comes by watches, and a quiet firing is not worth a write.
func TestKubernetesAQuietAgentAsksNothing(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	c.InstallCRDs(t, definitionsOfOthers...) // one that is not there is looked for, now and then
	s := newStage(t, c, followAgent)
	s.apply(webDeployment)
	s.wants(2)
	s.apply(followAgent)
	d := s.daemon()
	s.scaledTo("web", 2)
	s.rolledOut("web")
	s.until("the act is told of", func() bool { return strings.Contains(s.events("web"), "Normal Scale: ") })
	requests := func() (out []string) {
		_, body := d.get("/metrics")
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "scanflow_kubernetes_requests_total{") {
				out = append(out, line)
			}
		}
		return out
	}
	var before []string
	s.until("the last of it is written", func() bool {
		before = requests()
		d.fires(s.namespace+"/follower", 30) // longer than anything waits to be written together
		return slices.Equal(before, requests())
	})
	require.NotEmpty(t, before)
	versions := s.versions()
	d.fires(s.namespace+"/follower", 20)
	require.Equal(t, before, requests())
	require.Equal(t, versions, s.versions())
	d.stop()
}
