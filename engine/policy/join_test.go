package policy

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/policies"
)

// ships are the guards that ship.
func ships(t testing.TB) source.Source {
	t.Helper()
	src, err := source.ReadFS(policies.FS)
	require.NoError(t, err)
	return source.GuardsOf(src)
}

// shipped is the text of a file that ships.
func shipped(t testing.TB, name string) string {
	t.Helper()
	raw, err := fs.ReadFile(policies.FS, name)
	require.NoError(t, err)
	return string(raw)
}

// folder is a source that lies in a folder, of that name.
func folder(t testing.TB, name string, files map[string]string) source.Source {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	write(t, dir, files)
	src, err := source.ReadDir(dir)
	require.NoError(t, err)
	src.Origin = name
	return src
}

const (
	ownGuard   = "package scanflow.guards.mine\n\ndeny contains \"never\" if input.proposal.with.replicas > 99\n"
	layersFile = "scanflow/guards/layers/layers.rego"
	zeroFile   = "scanflow/guards/scale_to_zero/scale_to_zero.rego"
)

func TestGuardsThatShipBindBesideAFolder(t *testing.T) {
	layers := GuardInfo{Name: "layers", From: "shipped", Verbs: []string{"autoscaler", "place", "restart", "scale", "traffic"}}
	schedule, zero := GuardInfo{Name: "schedule", From: "shipped", Verbs: []string{"scale"}}, GuardInfo{Name: "scale_to_zero", From: "shipped", Verbs: []string{"scale"}}
	own := func(name, from string) GuardInfo { return GuardInfo{Name: name, From: from} }
	copied := layers
	copied.From = "a"
	allShipped := []GuardInfo{layers, zero, schedule}
	for name, c := range map[string]struct {
		sources []source.Source
		want    []GuardInfo
	}{
		"a folder without guards": {[]source.Source{folder(t, "a", basic())}, allShipped},
		"a guard of its own": {[]source.Source{folder(t, "a", with(basic(), "g.rego", ownGuard))},
			[]GuardInfo{layers, own("mine", "a"), zero, schedule}},
		"two folders": {[]source.Source{folder(t, "a", basic()), folder(t, "b", map[string]string{"g.rego": ownGuard})},
			[]GuardInfo{layers, own("mine", "b"), zero, schedule}},
		"a copy of one that ships, with its test": {[]source.Source{folder(t, "a", with(basic(), "copy/l.rego", shipped(t, layersFile),
			"copy/l_test.rego", shipped(t, "scanflow/guards/layers/layers_test.rego")))},
			[]GuardInfo{copied, zero, schedule}},
		"a guard below the package of one that ships": {[]source.Source{folder(t, "a", with(basic(), "g.rego", "package scanflow.guards.site.zero\n\ndeny contains \"never\" if input.proposal.with.replicas > 99\n"))},
			[]GuardInfo{layers, zero, schedule, own("site.zero", "a")}},
		"a folder with nothing but data": {[]source.Source{folder(t, "a", basic()), folder(t, "b", map[string]string{"limits/data.yaml": "most: 4"})}, allShipped},
	} {
		t.Run(name, func(t *testing.T) {
			rev, err := Candidate(t.Context(), source.Join(append(slices.Clone(c.sources), ships(t))...), Options{})
			require.NoError(t, err)
			require.Equal(t, c.want, rev.GuardInfos())

			p := engine.Proposal{Agent: "mlperf/planner", Strategy: "x", Primitive: "scale", With: map[string]any{"replicas": 0}}
			denials := rev.Review(t.Context(), document(10), p).Denials
			require.Len(t, denials, 1)
			require.Equal(t, "scale_to_zero", denials[0].Guard)
		})
	}
}

// Without those that ship, a folder alone has the revision that it had before.
func TestOneSourceAloneIsItself(t *testing.T) {
	a := folder(t, "a", basic())
	require.Equal(t, a.ID(), source.Join(a).ID())
	rev, err := Candidate(t.Context(), source.Join(a), Options{})
	require.NoError(t, err)
	require.Empty(t, rev.GuardInfos())
	require.Equal(t, "none", FormatGuards(rev.GuardInfos()))
}

func TestSourcesThatDoNotGoTogetherAreRefused(t *testing.T) {
	a := folder(t, "a", with(basic(), "limits/data.json", `{"most": 4, "per": {"x": 1}}`))
	changed := shipped(t, layersFile) + "\nchanges(\"anything\")\n"
	for name, c := range map[string]struct {
		b    map[string]string
		want []string
	}{
		"the same package": {map[string]string{"lib/other.rego": "package scanflow.lib.load\n\nx := 1"},
			[]string{"b/lib/other.rego:1:1: package scanflow.lib.load is in a too (a/lib/load.rego:1)"}},
		"the same package, of the same text": {map[string]string{"load.rego": lib}, []string{"b/load.rego:1:1: package scanflow.lib.load is in a too (a/lib/load.rego:1)"}},
		"the same tests": {map[string]string{"t_test.rego": autoscaleTest},
			[]string{"b/t_test.rego:1:1: package scanflow.strategies.serving.autoscale_test is in a too (a/strategies/serving/autoscale_test.rego:1)"}},
		"a rule where another has a package": {map[string]string{"x.rego": "package scanflow.lib\n\nload := 1"}, []string{"b/x.rego:3:1", "conflicts with"}},
		"the same data":                      {map[string]string{"limits/data.yaml": "most: 5"}, []string{"b/limits/data.yaml: data.limits.most is set by another data file too: a/limits/data.json"}},
		"data below data":                    {map[string]string{"limits/most/data.yaml": "deep: 5"}, []string{"b/limits/most/data.yaml: data.limits.most is set by another data file too: a/limits/data.json"}},
		"data above data":                    {map[string]string{"data.yaml": "limits: {per: 5}"}, []string{"b/data.yaml: data.limits.per is set by another data file too: a/limits/data.json"}},
		"data where another has a rule":      {map[string]string{"scanflow/lib/load/data.json": `{"replicas": 1}`}, []string{"conflict"}},
		"a changed guard": {map[string]string{"l.rego": changed},
			[]string{"b/l.rego:", "package scanflow.guards.layers is a guard that ships, and this is not the same", "--without-shipped-guards", "remove it"}},
		"a copy of a guard with more beside it": {map[string]string{"l.rego": shipped(t, layersFile), "m.rego": "package scanflow.guards.layers\n\nchanges(\"anything\")\n"},
			[]string{"package scanflow.guards.layers is a guard that ships, and this is not the same"}},
		"a library of theirs, changed": {map[string]string{"l.rego": shipped(t, "scanflow/lib/schedule/schedule.rego") + "\nmore := 1\n"},
			[]string{"b/l.rego:8:1: package scanflow.lib.schedule is a library of the guards that ship, and this is not the same", "remove it"}},
		"a test file that adds to a guard": {map[string]string{"m_test.rego": "package scanflow.guards.scale_to_zero\n\nallow := true\n"},
			[]string{"package scanflow.guards.scale_to_zero is a guard that ships, and this is not the same"}},
		"data where a guard that ships has a rule": {map[string]string{"scanflow/guards/layers/data.json": `{"deny": []}`}, []string{"conflict"}},
		"its own manifest's roots":                 {map[string]string{".manifest": `{"roots": ["scanflow/lib"]}`, "g.rego": ownGuard}, []string{"b/g.rego:1:1", "outside of the manifest's roots"}},
		"nothing that is read":                     {map[string]string{"README.md": "text"}, []string{"b holds neither .rego nor data files"}},
	} {
		t.Run(name, func(t *testing.T) {
			roots := with(filesOf(a), ".manifest", "")
			_, err := Candidate(t.Context(), source.Join(folder(t, "a", roots), folder(t, "b", c.b), ships(t)), Options{})
			var mistakes mistake.Mistakes
			require.ErrorAs(t, err, &mistakes)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

// filesOf are a source's, as a test writes them.
func filesOf(s source.Source) map[string]string {
	out := map[string]string{}
	for _, f := range s.Files {
		out[f.Path] = string(f.Content)
	}
	return out
}

// A changed guard binds alone where those that ship don't.
func TestAChangedGuardBindsWithoutThoseThatShip(t *testing.T) {
	changed := shipped(t, zeroFile) + "\ndeny contains \"too_many\" if input.proposal.with.replicas > 99\n"
	rev, err := Candidate(t.Context(), source.Join(folder(t, "a", with(basic(), "zero.rego", changed, ".manifest", ""))), Options{})
	require.NoError(t, err)
	require.Len(t, rev.GuardInfos(), 1)
}

func TestTheRevisionIsOverAllSources(t *testing.T) {
	a, b := folder(t, "a", basic()), folder(t, "b", map[string]string{"g.rego": ownGuard})
	more := folder(t, "b", map[string]string{"g.rego": ownGuard + "\n"})
	id := source.Join(a, b, ships(t)).ID()
	require.Equal(t, id, source.Join(b, a, ships(t)).ID(), "in whatever order")
	require.NotEqual(t, id, source.Join(a, more, ships(t)).ID())
	require.NotEqual(t, id, source.Join(a, b).ID())
	require.NotEqual(t, a.ID(), source.Join(a, ships(t)).ID())
}

// A child process judges all of them, and a guard of one is isolated by its own file.
func TestAJudgeSeesAllSources(t *testing.T) {
	bad := folder(t, "https://host/b.tar.gz", map[string]string{"g.rego": ownGuard, "g_test.rego": "package scanflow.guards.mine_test\n\ntest_it if 1 == 2\n"})
	good := folder(t, "https://host/b.tar.gz", map[string]string{"g.rego": ownGuard})
	a := folder(t, "a", with(basic(), ".manifest", ""))
	judge := NewJudge(JudgeOptions{})
	require.NoError(t, judge.Try(t.Context(), source.Join(a, good, ships(t)), Trial{}))
	require.ErrorContains(t, judge.Try(t.Context(), source.Join(a, bad, ships(t)), Trial{}), "https://host/b.tar.gz/g_test.rego:3:1: test scanflow.guards.mine_test.test_it fails")

	rev, err := Compile(t.Context(), source.Join(a, good, ships(t)), Options{Quarantine: NewQuarantine(nil)})
	require.NoError(t, err)
	isolated := rev.Isolate(Quarantined{Member: Member{KindGuard, "mine"}, Revision: rev.ID(), Place: "https://host/b.tar.gz/g.rego:3: text"})
	require.Len(t, isolated, 1, "nobody else reaches the file")
}

// The guards that ship bind without anything else of what ships.
func TestGuardsThatShipNeedNothingElse(t *testing.T) {
	src := ships(t)
	src.Shipped = false
	rev, err := Candidate(t.Context(), src, Options{})
	require.NoError(t, err)
	all, err := source.ReadFS(policies.FS)
	require.NoError(t, err)
	whole, err := Compile(t.Context(), all, Options{})
	require.NoError(t, err)
	require.Equal(t, whole.Guards(), rev.Guards())
}
