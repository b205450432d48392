package manifest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

func readStdin(text string) (Mixed, error) {
	return ReadMixed([]string{Stdin}, strings.NewReader(text), sampleKinds())
}

// namesOf lists the agents as "namespace/name FILE:LINE".
func namesOf(agents []*Agent) (names []string) {
	for _, a := range agents {
		names = append(names, fmt.Sprintf("%s %s:%d", a.Info(), a.File, a.Line))
	}
	return names
}

func TestAKustomizationIsRead(t *testing.T) {
	folder := filepath.Join("testdata", "mixed", "kustomize")
	found, err := ReadMixed([]string{folder}, nil, sampleKinds())
	require.NoError(t, err)
	require.Equal(t, []string{"mlperf/planner " + filepath.Join(folder, "agents.yaml") + ":1", "default/checker " + filepath.Join(folder, "checker.json") + ":1"}, namesOf(found.Agents))
	require.Equal(t, "1 Agent of agent.k8s.elastic.co, 2 ConfigMap, 1 Deployment, 1 Event, 1 ScaledObject, 1 list without kind, 2 mapping without kind", found.Skipped.String())

	_, err = Read([]string{folder}, sampleKinds())
	require.ErrorContains(t, err, "which is not read here", "a folder that is watched has agents alone")
}

// The agents of a cluster are read as kubectl prints them.
func TestTheOutputOfKubectlIsRead(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "mixed", "cluster.yaml"))
	require.NoError(t, err)
	found, err := readStdin(string(raw))
	require.NoError(t, err)
	require.Equal(t, []string{"mlperf/planner standard input:3"}, namesOf(found.Agents))
	require.Empty(t, found.Agents[0].Metadata.Annotations)
	require.Equal(t, map[string]string{"app.kubernetes.io/instance": "scanflow"}, found.Agents[0].Metadata.Labels)
	require.Equal(t, "1 Ledger, 1 Service", found.Skipped.String())
	require.EqualError(t, found.Agents[0].MistakeAt("spec.triggers[0].every", "is odd", ""), "standard input:40:14: Agent mlperf/planner: spec.triggers[0].every: is odd")

	_, err = readStdin(strings.Replace(string(raw), "uid: 0b51a1f4-35a4-4d43-8e0c-6d0d4a7b5d20", "colour: blue", 1))
	require.EqualError(t, err, `
standard input:10:5: Agent mlperf/planner: metadata.finalizers: unknown field; the fields are name, namespace, labels, annotations
standard input:27:5: Agent mlperf/planner: metadata.ownerReferences: unknown field; the fields are name, namespace, labels, annotations
standard input:33:5: Agent mlperf/planner: metadata.colour: unknown field; the fields are name, namespace, labels, annotations`[1:])
}

const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"

func as(apiVersion, kind string) string {
	return strings.NewReplacer("apiVersion: scanflow.dev/v1alpha1\n", apiVersion, "kind: Agent\n", kind).Replace(named("a"))
}

// What looks like an Agent is never skipped.
func TestWhatLooksLikeAnAgent(t *testing.T) {
	const version, kind = "apiVersion: scanflow.dev/v1alpha1\n", "kind: Agent\n"
	const fields = "the object has fields of an Agent (targets, triggers), and is a "
	const want = "; expected apiVersion scanflow.dev/v1alpha1 and kind Agent"
	for name, row := range map[string]struct{ text, want string }{
		"kind in lower case":          {as(version, "kind: agent\n"), `6:1: Agent a: kind: "agent" is not known here; write Agent`},
		"plural":                      {as(version, "kind: Agents\n"), `6:1: Agent a: kind: "Agents" is not known here; write Agent`},
		"misspelt":                    {as(version, "kind: Agnet\n"), `6:1: Agent a: kind: "Agnet" is not known here; write Agent`},
		"another kind of the group":   {as(version, "kind: Policy\n"), `5:1: Agent a: the object is a "Policy" of "scanflow.dev/v1alpha1", which is not read here` + want},
		"no kind":                     {as(version, ""), `5:1: Agent a: kind: is missing; write kind: Agent`},
		"no kind, nor a spec":         {version + "metadata: {name: a}\n", "5:1: Agent a: kind: is missing; write kind: Agent\nstandard input:5:1: Agent a: spec: is missing; set it: what the agent does"},
		"no apiVersion":               {as("", kind), `5:1: Agent a: apiVersion: is missing; write apiVersion: scanflow.dev/v1alpha1`},
		"neither":                     {as("", ""), "5:1: Agent a: apiVersion: is missing; write apiVersion: scanflow.dev/v1alpha1\nstandard input:5:1: Agent a: kind: is missing; write kind: Agent"},
		"apiVersion null":             {as("apiVersion:\n", kind), `5:1: Agent a: apiVersion: has no value; set it or leave it out`},
		"another version":             {as("apiVersion: scanflow.dev/v1alpha2\n", kind), `5:1: Agent a: apiVersion: "scanflow.dev/v1alpha2" is not known here; write scanflow.dev/v1alpha1`},
		"no version":                  {as("apiVersion: scanflow.dev\n", kind), `5:1: Agent a: the object is a "Agent" of "scanflow.dev", which is not read here` + want},
		"group misspelt":              {as("apiVersion: scnaflow.dev/v1alpha1\n", kind), `5:1: Agent a: apiVersion: "scnaflow.dev/v1alpha1" is not known here; write scanflow.dev/v1alpha1`},
		"group of another domain":     {as("apiVersion: scanflow.io/v1\n", kind), `5:1: Agent a: the object is a "Agent" of "scanflow.io/v1", which is not read here` + want},
		"another group":               {as("apiVersion: agents.example.com/v1\n", kind), "5:1: Agent a: " + fields + `"Agent" of "agents.example.com/v1"` + want},
		"a built-in group":            {"apiVersion: apps/v1\nkind: Agent\nmetadata: {name: a}\n", `5:1: Agent a: the object is a "Agent" of "apps/v1", which has no such kind` + want},
		"the core group":              {"apiVersion: v1\nkind: agent\nmetadata: {name: a}\n", `5:1: Agent a: the object is a "agent" of "v1", which has no such kind` + want},
		"a Deployment with this spec": {as("apiVersion: apps/v1\n", "kind: Deployment\n"), "5:1: Agent a: " + fields + `"Deployment" of "apps/v1"` + want},
		"Kind":                        {as(version, "Kind: Agent\n"), "5:1: Agent a: kind: is missing; write kind: Agent\nstandard input:6:1: Agent a: Kind: unknown field; did you mean kind? The fields are apiVersion, kind, metadata, spec"},
		"APIVersion":                  {as("APIVersion: scanflow.dev/v1alpha1\n", kind), "5:1: Agent a: APIVersion: unknown field; did you mean apiVersion? The fields are apiVersion, kind, metadata, spec\nstandard input:5:1: Agent a: apiVersion: is missing; write apiVersion: scanflow.dev/v1alpha1"},
		"kind twice":                  {"apiVersion: apps/v1\nkind: Deployment\nkind: Agent\nmetadata: {name: a}\n", "5:1: Agent a: kind is written twice, and one is Agent" + want},
		"a merge key":                 {strings.Replace(named("a"), version, "<<: {apiVersion: scanflow.dev/v1alpha2}\n", 1), "5:1: Agent a: merge keys (<<) are not read; write the fields out\nstandard input:5:1: Agent a: apiVersion: is missing; write apiVersion: scanflow.dev/v1alpha1"},
		"a list of agents":            {"- {apiVersion: scanflow.dev/v1alpha1, kind: Agent}\n", `5:1: must be a mapping, not a list; its fields are apiVersion, kind, metadata, spec`},
		"a list in lower case":        {"kind: list\nitems: []\n", `5:1: kind: "list" is not known here; write kind: List`},
		"a list without items":        {"kind: List\nitem: []\n", `5:1: a List has a list of objects in items; write items: [...]`},
		"a list whose item is wrong":  {"kind: AgentList\nitems:\n- {kind: Agent, apiVersion: scanflow.dev/v1, metadata: {name: b, namespace: c}, spec: {targets: {static: [{name: a}]}, triggers: [{name: t, every: 1s}]}}\n", `7:17: Agent c/b: apiVersion: "scanflow.dev/v1" is not known here; write scanflow.dev/v1alpha1`},
		"an alias in a list":          {"kind: List\nitems: [&a {kind: List, items: [{kind: Pod}]}, *a]\n", `6:48: an item of a List is an alias; write the object out`},
		"an unknown metadata field":   {as(version, kind+"status: {}\n") + "---\n" + strings.Replace(named("b"), "{name: b}", "{name: b, uuid: x, uid: y}", 1), `15:21: Agent b: metadata.uuid: unknown field; the fields are name, namespace, labels, annotations`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readStdin(deployment + "---\n" + row.text)
			require.EqualError(t, err, "standard input:"+row.want)
			_, err = readStdin(deployment + "---\n" + row.text + "---\n" + named("sound"))
			require.EqualError(t, err, "standard input:"+row.want, "a sound agent beside it")
		})
	}
}

func TestWhatIsSkipped(t *testing.T) {
	for text, want := range map[string]string{
		deployment:                      "1 Deployment",
		"apiVersion: v1\nkind: Event\n": "1 Event",
		"kind: AgentList\napiVersion: scanflow.dev/v1alpha1\nitems: []": "1 empty AgentList",
		"kind: List\nitems: [{kind: List, items: [{kind: Pod}]}]":       "1 Pod",
		"Error: INSTALLATION FAILED":                                    "1 mapping without kind",
		"no resources found":                                            "1 text without kind",
		"{apiVersion: scanflow.dev/v1alpha1, kind: Ledger}":             "1 Ledger",
		"{kind: \"x\\ny\"}":                                             `1 "x\ny"`,
		"{kind: \"http://a:hunter2@b\"}":                                `1 "http://***@b"`,
		"spec: {mode: x, role: y}":                                      "1 mapping without kind",
	} {
		found, err := readStdin(named("a") + "---\n" + text)
		require.NoError(t, err, text)
		require.Len(t, found.Agents, 1)
		require.Equal(t, want, found.Skipped.String())
		_, err = readStdin(text)
		require.EqualError(t, err, "standard input: has no Agent in it: found "+want+"; expected at least one object with apiVersion: scanflow.dev/v1alpha1 and kind: Agent")
	}
	many := ""
	for i := range 30 {
		many += fmt.Sprintf("---\n{kind: K%02d}\n", i)
	}
	found, err := readStdin(named("a") + many)
	require.NoError(t, err)
	require.Equal(t, 30, found.Skipped.Total())
	require.Contains(t, found.Skipped.String(), "1 K19, and 10 kinds more")
}

// Each path has an Agent, and every mistake of every path is reported at once.
func TestPathsWithoutAnAgent(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "none/web.yaml", deployment)
	write(t, "none/kustomization.yaml", "kind: Kustomization\nresources: [sub]\n")
	write(t, "none/sub/a.yaml", named("unread"))
	write(t, "some/web.yaml", deployment)
	write(t, "some/a.yaml", named("a"))
	write(t, "broken/a.yaml", "{")
	write(t, "wrong/a.yaml", deployment+"---\n"+named("b")+"  colour: blue\n")
	write(t, "notes/a.txt", "")
	write(t, "empty.json", "\n")
	write(t, "-", named("dash"))
	wanted := "expected at least one object with apiVersion: scanflow.dev/v1alpha1 and kind: Agent"
	found, err := ReadMixed([]string{"none", "some", "some/web.yaml", "broken", "wrong", "notes", "empty.json", "-", "./-", "-"}, strings.NewReader(""), sampleKinds())
	require.ErrorContains(t, err, "broken/a.yaml:")
	var rest mistake.Mistakes
	require.ErrorAs(t, err, &rest)
	require.Equal(t, []string{
		"empty.json: has no Agent in it; write one, beginning with apiVersion: scanflow.dev/v1alpha1 and kind: Agent",
		"none: has no Agent in it: found 1 Deployment, 1 Kustomization; " + wanted + ", or the output of kustomize build, as -f -",
		"notes: the folder has no *.yaml, *.yml or *.json file; put Agent manifests in it, or name another",
		"some/web.yaml: has no Agent in it: found 1 Deployment; " + wanted,
		"standard input: is empty; pipe at least one object with apiVersion: scanflow.dev/v1alpha1 and kind: Agent to it",
		"standard input: is given twice (-); it can be read once",
		"wrong/a.yaml:11:3: spec.colour: unknown field; the fields are role, layer, mode, targets, triggers, sensors, strategies, primitives, params, priority, retryFor, credentials, guards",
	}, rest[1:].Lines())
	require.Equal(t, []string{"default/a some/a.yaml:1", "default/dash -:1"}, namesOf(found.Agents))
	require.Equal(t, "3 Deployment, 1 Kustomization", found.Skipped.String(), "a file in two paths counts once")
}

func TestStandardInput(t *testing.T) {
	_, err := ReadMixed([]string{Stdin}, iotest.ErrReader(errors.New("is broken")), sampleKinds())
	require.EqualError(t, err, "standard input: can't be read: is broken")
	_, err = readStdin(named("a") + strings.Repeat("#", MaxMixedSize))
	require.EqualError(t, err, "standard input: is larger than 8388608 bytes; pass less of it")

	large := strings.Repeat("---\n"+deployment, MaxFileSize/len(deployment))
	found, err := readStdin(large + "---\n" + named("a"))
	require.NoError(t, err)
	require.Len(t, found.Agents, 1)

	t.Chdir(t.TempDir())
	write(t, "a.yaml", named("a"))
	_, err = ReadMixed([]string{"a.yaml", Stdin}, strings.NewReader("\n"+named("a")), sampleKinds())
	require.EqualError(t, err, "standard input:2:1: metadata.name: the agent default/a is in a.yaml:1 already; rename one")

	_, err = Read([]string{Stdin, "a.yaml"}, sampleKinds())
	require.EqualError(t, err, "standard input (-) is not read here, because these files are read again when they change; write the agents to a file; one with the name - is ./-")
	_, err = Read([]string{Stdin}, sampleKinds())
	require.EqualError(t, err, "standard input (-) is not read here, because these files are read again when they change; write the agents to a file; one with the name - is ./-")
}
