package orchestrator

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

func TestParseNode(t *testing.T) {
	for text, want := range map[string]Node{
		"a":       {Name: "a"},
		"a=0":     {Name: "a", Cores: pod.Cores{0}},
		"a=0-1,3": {Name: "a", Cores: pod.Cores{0, 1, 3}},
	} {
		n, err := ParseNode(text)
		require.NoError(t, err)
		require.Equal(t, want, n)
		require.Equal(t, text, n.String())
	}
	for _, text := range []string{"a=", "a=b", "a=0=1", "a=0,,1", "a=1-0"} {
		_, err := ParseNode(text)
		require.Error(t, err, text)
	}
}

func TestEveryMistakeInTheNodesIsNamed(t *testing.T) {
	_, err := New(Options{StateDir: t.TempDir(), Nodes: []Node{{Name: "a"}, {Name: "A b"}, {Name: ""}, {Name: "a"}, {Name: "c", Cores: pod.Cores{1023}}}})
	for _, part := range []string{`the name "A b"`, `the name ""`, "node a: is named twice", "node c=1023: core 1023 is not this machine's"} {
		require.ErrorContains(t, err, part)
	}
}
