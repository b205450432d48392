package manifest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

var update = flag.Bool("update", false, "write the expected messages of testdata/bad")

// Each file of testdata/bad has the mistake it is named after; the messages
// expected are beside it.
func TestBadFiles(t *testing.T) {
	t.Chdir(filepath.Join("testdata", "bad"))
	files, err := filepath.Glob("*.yaml")
	require.NoError(t, err)
	require.Greater(t, len(files), 100)
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".yaml"), func(t *testing.T) {
			agents, err := Read([]string{file}, sampleKinds())
			var mistakes mistake.Mistakes
			require.ErrorAs(t, err, &mistakes)
			require.NotContains(t, err.Error(), "hun", "a part of a password is shown")
			require.Empty(t, agents)
			for _, m := range mistakes {
				require.Equal(t, file, m.File)
				require.NotEmpty(t, m.Message)
			}
			want := strings.TrimSuffix(file, ".yaml") + ".want"
			if *update {
				require.NoError(t, os.WriteFile(want, []byte(err.Error()+"\n"), 0o644))
			}
			expected, readErr := os.ReadFile(want)
			require.NoError(t, readErr)
			require.Equal(t, string(expected), err.Error()+"\n")
		})
	}
}

func TestGoodFiles(t *testing.T) {
	agents, err := Read([]string{filepath.Join("testdata", "good")}, sampleKinds())
	require.NoError(t, err)
	require.Len(t, agents, 4)
	require.Equal(t, "mlperf/planner", agents[0].Info().String())
	require.Equal(t, "default/tracker", agents[1].Info().String())
	require.Equal(t, "other/tracker", agents[2].Info().String())
	require.Equal(t, filepath.Join("testdata", "good", "several.yml"), agents[2].File)
	require.Equal(t, 41, agents[2].Line)
	require.Equal(t, "mlperf/checker", agents[3].Info().String())
}

const minimal = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: NAME}
spec:
  targets: {static: [{name: web}]}
  triggers: [{name: tick, every: 1s}]
`

func named(name string) string { return strings.ReplaceAll(minimal, "NAME", name) }

func write(t *testing.T, name, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(content), 0o644))
}

// One call tells of every path and file, in order, and still returns what is sound.
func TestReadTellsOfEveryFile(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "agents/b.yaml", named("second")+"  params: [1]\n")
	write(t, "agents/a.yml", named("first")+"  colour: blue\n---\n"+named("sound"))
	write(t, "agents/.hidden.yaml", "not: read")
	write(t, "agents/notes.txt", "not: read")
	write(t, "agents/sub/c.yaml", "not: read")
	require.NoError(t, os.Symlink("../elsewhere/d.yaml", "agents/d.yaml"))
	write(t, "elsewhere/d.yaml", named("linked"))
	require.NoError(t, os.Mkdir("nothing", 0o755))

	agents, err := Read([]string{"nothing", "missing.yaml", "agents", "./agents/b.yaml"}, sampleKinds())
	require.EqualError(t, err, strings.TrimSpace(`
agents/a.yml:7:3: spec.colour: unknown field; the fields are role, layer, mode, targets, triggers, sensors, strategies, primitives, params, priority, retryFor, credentials, guards
agents/b.yaml:7:3: spec.params: must be a mapping, not a list; write {key: value}
missing.yaml: there is no such file or folder; name a file or a folder of Agent manifests
nothing: the folder has no *.yaml or *.yml file; put Agent manifests in it, or name another`))
	var names []string
	for _, a := range agents {
		names = append(names, a.Metadata.Name)
	}
	require.Equal(t, []string{"sound", "linked"}, names)

	_, err = Read(nil, sampleKinds())
	require.EqualError(t, err, "no manifest given; name a file or a folder of Agent manifests")
}

func TestTwoAgentsOfOneName(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "a.yaml", named("same")+"---\n"+named("other"))
	write(t, "b.yaml", "# late\n"+named("same"))
	agents, err := Read([]string{"b.yaml", "a.yaml"}, sampleKinds())
	require.EqualError(t, err, "b.yaml:2:1: metadata.name: the agent default/same is in a.yaml:1 already; rename one")
	require.Len(t, agents, 1, "neither of the two is sure")
	require.Equal(t, "other", agents[0].Metadata.Name)
}

func TestUnreadableFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "large.yaml", named("large")+strings.Repeat("#", MaxFileSize))
	require.NoError(t, os.Symlink("nowhere", "dangling.yaml"))
	for path, want := range map[string]string{
		"large.yaml":    "large.yaml: is larger than 1048576 bytes; split it",
		"/dev/null":     "/dev/null: is not a regular file",
		".":             "dangling.yaml: can't be read: no such file or directory\nlarge.yaml: is larger than 1048576 bytes; split it",
		"dangling.yaml": "dangling.yaml: there is no such file or folder; name a file or a folder of Agent manifests",
	} {
		_, err := Read([]string{path}, sampleKinds())
		require.EqualError(t, err, want)
	}
}

// A megabyte of malice costs no more than a moment, and is answered with a
// bounded list.
func TestHostileFiles(t *testing.T) {
	repeat := func(s string) string { return strings.Repeat(s, (MaxFileSize-2000)/len(s)) }
	head := named("hostile")
	for name, text := range map[string]string{
		"open lists":     "a: " + repeat("["),
		"open mappings":  repeat("{a: "),
		"dashes":         repeat("- "),
		"comments":       repeat("#\n"),
		"documents":      repeat("---\nx\n"),
		"long key":       head + "  ? " + repeat("k") + "\n  : x\n",
		"unknown fields": head + fields(60_000, "  f%d: x\n"),
		"bad params":     head + "  params:\n" + fields(50_000, "    p-%d: .nan\n"),
		"bad cooldowns":  head + "  guards:\n    cooldown:\n" + fields(50_000, "      c%d: x\n"),
		"sensors":        head + "  sensors:\n" + fields(30_000, "  - name: s%d\n    http: {}\n"),
		"aliases":        head + "  params: {a: &a [" + strings.Repeat("x,", 9000) + "], b: [" + strings.Repeat("*a,", 100_000) + "]}\n",
		"deep and wide":  head + "  params: " + strings.Repeat("{"+strings.Repeat("k", 5000)+": ", 45) + "[" + strings.Repeat(".nan,", 100_000) + "]" + strings.Repeat("}", 45) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			require.LessOrEqual(t, len(text), MaxFileSize)
			agents, err := ReadBytes("hostile.yaml", []byte(text), sampleKinds())
			require.Error(t, err)
			require.Empty(t, agents)
			require.Less(t, len(err.Error()), 8<<20)
			require.LessOrEqual(t, strings.Count(err.Error(), "\n"), maxMistakes)
		})
	}
}

func fields(n int, format string) string {
	var b strings.Builder
	for i := range n {
		if b.Len() > MaxFileSize-4000 {
			break
		}
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}
