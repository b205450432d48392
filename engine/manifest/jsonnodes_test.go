package manifest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const jsonText = `{
  "apiVersion": "scanflow.dev/v1alpha1", "kind": "Agent",
  "metadata": {"name": "größe", "labels": {}, "none": null},
  "spec": {"params": {"i": 1, "f": -1.5e3, "big": 123456789012345678901234567890, "yes": true, "no": false, "text": "true", "n": "1"},
    "list": [ 1 , [], [{"a": ["b"]}, "c\n\u00e9\"" ] ], "twice": 1, "twice": 2}
}
`

func jsonDocuments(text string) (out []*yaml.Node) {
	eachJSON([]byte(text), func(n *yaml.Node) bool {
		out = append(out, n)
		return true
	})
	return out
}

// The nodes of JSON are those that the YAML parser makes of it.
func TestNodesOfJSON(t *testing.T) {
	require.True(t, isJSON([]byte(jsonText)))
	var want yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(jsonText), &want))
	require.Equal(t, want.Content, jsonDocuments(jsonText))
}

func TestIsJSON(t *testing.T) {
	for text, want := range map[string]bool{
		"{}": true, " \n{\"a\": 1}\n{}\n": true, "{}{}": true,
		"": false, "[]": false, "a: 1": false, "{a: 1}": false, "{} # comment": false, "{}\n---\n{}": false, "{": false, "{}x": false, `{"a": 01}`: false,
	} {
		require.Equal(t, want, isJSON([]byte(text)), text)
	}
}

// What YAML does not have of JSON is read all the same: jq prints objects one after the other.
func TestJSONThatIsNotYAML(t *testing.T) {
	object := strings.NewReplacer("NAME", "a", "\n", "\n\t").Replace(`{
"apiVersion": "scanflow.dev\/v1alpha1",
"kind": "Agent",
"metadata": {"name": "NAME", "annotations": {"note": "\ud83d\ude00"}},
"spec": {"targets": {"static": [{"name": "web"}]}, "triggers": [{"name": "tick", "every": "10s"}]}}`)
	text := object + "\n" + strings.Replace(object, `"a"`, `"b"`, 1) + "\n" + `{"kind": "Pod"}`
	found, err := readStdin(text)
	require.NoError(t, err)
	require.Equal(t, []string{"default/a standard input:1", "default/b standard input:6"}, namesOf(found.Agents))
	require.Equal(t, map[string]string{"note": "😀"}, found.Agents[0].Metadata.Annotations)
	require.Equal(t, "1 Pod", found.Skipped.String())

	agents, err := ReadBytes("a.yaml", []byte(object), sampleKinds())
	require.NoError(t, err)
	require.Len(t, agents, 1)

	_, err = readStdin(strings.Replace(text, `"kind": "Agent",`, `"kind": "Agent", "kind": "Agent",`, 1) + strings.Replace(object, `"Agent"`, `"agent"`, 1))
	require.EqualError(t, err, "standard input:3:19: Agent a: kind: is written twice, first on line 3; keep one\n"+
		`standard input:13:2: Agent a: kind: "agent" is not known here; write Agent`)
}
