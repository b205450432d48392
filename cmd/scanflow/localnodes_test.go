package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

func TestTheLocalNodesFlags(t *testing.T) {
	for _, c := range []struct {
		flags      nodeFlags
		kubernetes bool
		want       []orchestrator.Node
		wrong      []string
	}{
		{},
		{flags: nodeFlags{names: []string{"a", "b"}}, want: []orchestrator.Node{{Name: "a"}, {Name: "b"}}},
		{flags: nodeFlags{specs: []string{"a=0", "b"}}, want: []orchestrator.Node{{Name: "a", Cores: pod.Cores{0}}, {Name: "b"}}},
		{flags: nodeFlags{names: []string{"a", "a", "a=0", "B"}}, wrong: []string{"--nodes a: the name is another node's", "--nodes a=0: cores go with --node a=0, once for each node", `--nodes B: the name "B"`}},
		{flags: nodeFlags{specs: []string{"a=x", "b=0,0", "c=1023", "c", "=0", "d="}}, wrong: []string{
			`--node a=x: "x" is neither a core nor a range`, "--node b=0,0: core 0 is named twice; name it once", "--node c=1023: core 1023 is not this machine's, or not ours to use; choose of ",
			"--node c: the name is another node's", `--node =0: the name ""`, `--node d=: "" is neither`,
		}},
		{flags: nodeFlags{names: []string{"a"}, specs: []string{"b"}}, wrong: []string{"--nodes: one of them names all nodes", "--node: one of them names all nodes"}},
		{flags: nodeFlags{names: []string{"a"}, specs: []string{"b"}}, kubernetes: true, wrong: []string{"--nodes: with --kubernetes the cluster", "--node: with --kubernetes the cluster"}},
		{kubernetes: true},
	} {
		got, err := c.flags.read(c.kubernetes)
		for _, part := range c.wrong {
			require.ErrorContains(t, err, part)
		}
		if c.wrong == nil {
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		}
	}
}
