package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

const cookbook = "docs/cookbook"

// recipes are the sections of the cookbook, each with a copy of its folder.
func recipes(t *testing.T) map[string]*reader {
	t.Helper()
	page := read(t, cookbook+"/README.md", "", "")
	section := regexp.MustCompile(`(?m)^## (\S+)$`)
	out := map[string]*reader{}
	var in *reader
	for _, b := range page.blocks {
		if m := section.FindStringSubmatch(b.lead); m != nil {
			in = &reader{t: t, dir: filepath.Join(t.TempDir(), m[1]), replace: strings.NewReplacer()}
			require.NoError(t, os.CopyFS(in.dir, os.DirFS(filepath.Join("..", "..", cookbook, m[1]))))
			out[m[1]] = in
		}
		require.NotNil(t, in, "a block before the first recipe")
		in.blocks = append(in.blocks, b)
	}
	return out
}

// policies are the flags for a recipe with policies of its own.
func (r *reader) policies() string {
	if _, err := os.Stat(filepath.Join(r.dir, "policies")); err != nil {
		return ""
	}
	return " --policies policies"
}

// prints runs a command that has to succeed.
func (r *reader) prints(line string) string {
	r.t.Helper()
	out, err := r.shell(line).CombinedOutput()
	require.NoError(r.t, err, "%s: %s", line, out)
	return string(out)
}

// Each command of the page prints what the page shows, and what it shows of files is in them.
func TestCookbookPage(t *testing.T) {
	t.Parallel()
	for name, r := range recipes(t) {
		t.Run(name, func(t *testing.T) {
			r.t = t
			text := r.text()
			for _, b := range r.blocks {
				if b.language == "rego" || b.language == "yaml" {
					require.Contains(t, text, b.text)
				}
			}
			for _, s := range r.steps("") {
				r.runs(s)
			}
		})
	}
	serving, err := os.ReadFile(filepath.Join("..", "..", "docs", "serving.md"))
	require.NoError(t, err)
	require.Contains(t, string(serving), recipes(t)["rollback"].content("agent.yaml"), "the same manifest on both pages")
}

// Each file of the cookbook is one that these tests check: an agent, policies that pass all
// checks, and documents that the page decides on.
func TestCookbookFiles(t *testing.T) {
	t.Parallel()
	all := recipes(t)
	entries, err := os.ReadDir(filepath.Join("..", "..", cookbook))
	require.NoError(t, err)
	for _, e := range entries {
		require.True(t, e.Name() == "README.md" || all[e.Name()] != nil, "%s: the page has no such recipe", e.Name())
	}
	for name, r := range all {
		t.Run(name, func(t *testing.T) {
			r.t = t
			own := r.policies()
			require.True(t, strings.HasPrefix(r.prints("scanflow check -f agent.yaml"+own), "ok: 1 agents"), "no warning")
			if own != "" {
				r.prints("scanflow policies export shipped")
				const lib = " shipped/scanflow/lib"
				require.Contains(t, r.prints("scanflow test policies"), "coverage: 100.0%")
				require.Contains(t, r.prints("scanflow opa test policies"+lib), "PASS")
				r.prints("scanflow opa check --strict policies" + lib)
				r.prints("scanflow fmt --check policies")
				require.NoError(t, os.RemoveAll(filepath.Join(r.dir, "shipped")))
			}
			outcomes := map[bool]int{}
			require.NoError(t, filepath.WalkDir(r.dir, func(file string, e fs.DirEntry, err error) error {
				require.NoError(t, err)
				if e.IsDir() {
					return nil
				}
				file, err = filepath.Rel(r.dir, file)
				require.NoError(t, err)
				switch file = filepath.ToSlash(file); {
				case file == "agent.yaml", file == "policies/.manifest", strings.HasPrefix(file, "policies/") && strings.HasSuffix(file, ".rego"):
				case regexp.MustCompile(`^documents/[\w-]+\.json$`).MatchString(file):
					r.fits(file)
					outcomes[r.acts(file)]++
				default:
					require.Fail(t, "no test reads "+file)
				}
				return nil
			}))
			require.Positive(t, outcomes[true], "a document on which it acts")
			require.Positive(t, outcomes[false], "a document on which it does not")
		})
	}
}

// text is that of all files of a recipe.
func (r *reader) text() string {
	r.t.Helper()
	var out strings.Builder
	require.NoError(r.t, filepath.WalkDir(r.dir, func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(file)
		out.Write(raw)
		return err
	}))
	return out.String()
}

func (r *reader) content(name string) string {
	r.t.Helper()
	raw, err := os.ReadFile(filepath.Join(r.dir, name))
	require.NoError(r.t, err)
	return string(raw)
}

// fits requires that a document is one of the recipe's agent: its name, layer and role, its
// params, and a value of each of its sensors.
func (r *reader) fits(name string) {
	r.t.Helper()
	var agent struct {
		Metadata struct{ Name, Namespace string }
		Spec     struct {
			Layer, Role string
			Params      map[string]any
			Sensors     []struct{ Name string }
		}
	}
	require.NoError(r.t, yaml.Unmarshal([]byte(r.content("agent.yaml")), &agent))
	var doc struct {
		Agent   map[string]string
		Params  map[string]any
		Signals map[string]any
	}
	require.NoError(r.t, json.Unmarshal([]byte(r.content(name)), &doc))
	require.Equal(r.t, map[string]string{"name": agent.Metadata.Name, "namespace": agent.Metadata.Namespace, "layer": agent.Spec.Layer, "role": agent.Spec.Role}, doc.Agent, name)
	require.Equal(r.t, agent.Spec.Params, doc.Params, name)
	require.Len(r.t, doc.Signals, len(agent.Spec.Sensors), name)
	for _, s := range agent.Spec.Sensors {
		require.Contains(r.t, doc.Signals, s.Name, name)
	}
}

// acts reports whether the page shows a decision on a document that is other than a refusal.
func (r *reader) acts(name string) bool {
	r.t.Helper()
	for _, s := range r.steps("scanflow eval") {
		if strings.Contains(s.command, "--input "+name+" ") {
			return !strings.Contains(s.shown, `"decisions": []`) && !strings.Contains(s.shown, `"verdict": "refused"`)
		}
	}
	require.Fail(r.t, "the page does not decide on "+name)
	return false
}
