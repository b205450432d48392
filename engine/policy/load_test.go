package policy

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/open-policy-agent/opa/cmd"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

func TestAFolderAFileSystemAndABundleGiveTheSameDecisions(t *testing.T) {
	files := with(basic(), "scanflow/lib/rates/data.yaml", "limit: 3\n", "scanflow/lib/data.json", `{"names": ["a"]}`, "notes.txt", "not a policy")
	dir := t.TempDir()
	write(t, dir, files)
	folder, err := source.Read(dir)
	require.NoError(t, err)
	fsys, err := source.ReadFS(os.DirFS(dir))
	require.NoError(t, err)
	require.Equal(t, folder.ID(), fsys.ID())
	require.Len(t, folder.ID(), 12)
	o, mistakes := folder.Open()
	require.Empty(t, mistakes)
	require.True(t, o.Parts[0].OwnsPackage(ast.MustParseModule("package scanflow.x")))
	require.False(t, o.Parts[0].OwnsPackage(ast.MustParseModule("package other.x")))

	bundleFile := filepath.Join(t.TempDir(), "bundle.tar.gz")
	buildBundle(t, dir, bundleFile)
	packed, err := source.Read(bundleFile)
	require.NoError(t, err)
	for _, src := range []source.Source{folder, fsys, packed} {
		o, mistakes := src.Open()
		require.Empty(t, mistakes)
		require.Len(t, o.Data["scanflow"], 1)
		rev, err := Candidate(context.Background(), src, Options{})
		require.NoError(t, err)
		require.Len(t, rev.Evaluate(context.Background(), rev.Strategies(), document(70)).Proposals, 1)
	}
}

// buildBundle makes a bundle with stock OPA.
func buildBundle(t testing.TB, dir, to string) {
	t.Helper()
	c := cmd.Command(nil, "OPA")
	c.SetArgs([]string{"build", "--bundle", dir, "--output", to})
	require.NoError(t, c.Execute())
}

func TestTheRevisionIsTheContent(t *testing.T) {
	id := sourceOf(t, basic()).ID()
	require.Equal(t, id, sourceOf(t, basic()).ID())
	require.NotEqual(t, id, sourceOf(t, with(basic(), "lib/load.rego", lib+"\n")).ID())
	require.NotEqual(t, id, sourceOf(t, with(basic(), "lib/load.rego", "", "lib/other.rego", lib)).ID())
}

func TestAConfigMapMountIsReadOnce(t *testing.T) {
	dir := t.TempDir()
	mountConfigMap(t, dir, "..2026_01", map[string]string{"load.rego": lib, "autoscale.rego": autoscale})
	src, err := source.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, src.Files, 2)
	require.Equal(t, "autoscale.rego", src.Files[0].Path)
}

func TestLinksAreFollowedAndLoopsEnd(t *testing.T) {
	elsewhere, dir := t.TempDir(), t.TempDir()
	write(t, elsewhere, map[string]string{"autoscale.rego": autoscale})
	write(t, dir, map[string]string{"lib/load.rego": lib, ".git/x.rego": "not read"})
	require.NoError(t, os.Symlink(elsewhere, filepath.Join(dir, "more")))
	require.NoError(t, os.Symlink(dir, filepath.Join(dir, "lib", "loop")))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "dangling.rego")))
	src, err := source.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, src.Files, 2)
}

func TestWhatCanNotBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		says  string
	}{
		"no policy":            {map[string]string{"a.txt": ""}, "holds no .rego file"},
		"a broken manifest":    {with(basic(), ".manifest", "{"), ".manifest: not a manifest"},
		"an older Rego":        {with(basic(), ".manifest", `{"rego_version": 0}`), "set rego_version to 1"},
		"a second manifest":    {with(basic(), "lib/.manifest", "{}"), "lib/.manifest: a manifest in a sub-folder"},
		"broken data":          {with(basic(), "data.json", "{"), "data.json: can't be read as data"},
		"broken YAML":          {with(basic(), "data.yaml", "a: [b"), "data.yaml: can't be read as data"},
		"data of a list":       {with(basic(), "data.yaml", "- a"), "the top of a data file must be an object"},
		"data twice":           {with(basic(), "scanflow/data.yaml", "a: 1", "scanflow/data.json", `{"a": 2}`), "data.scanflow.a is set by another data file too"},
		"data outside of root": {with(basic(), "data.yaml", "other: 1"), "data.other is outside of the manifest's roots"},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := fstest.MapFS{}
			for name, text := range c.files {
				fsys[name] = &fstest.MapFile{Data: []byte(text)}
			}
			src, err := source.ReadFS(fsys)
			require.NoError(t, err)
			_, err = Draft(t.Context(), src)
			require.ErrorContains(t, err, c.says)
			require.ErrorAs(t, err, new(mistake.Mistakes))
		})
	}
	_, err := source.Read(filepath.Join(t.TempDir(), "gone"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = source.Read(filepath.Join(t.TempDir(), "gone.tar.gz"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestTooMuchIsNotRead(t *testing.T) {
	dir := t.TempDir()
	big := bytes.Repeat([]byte("# all work and no play\n"), source.MaxBytes/40)
	for _, name := range []string{"a.rego", "b.rego"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), big, 0o644))
	}
	_, err := source.ReadDir(dir)
	require.ErrorContains(t, err, "larger than 32 MiB")
}

func TestBundlesThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, basic())
	good := filepath.Join(t.TempDir(), "good.tar.gz")
	buildBundle(t, dir, good)
	whole, err := os.ReadFile(good)
	require.NoError(t, err)

	cut := filepath.Join(t.TempDir(), "cut.tar.gz")
	require.NoError(t, os.WriteFile(cut, whole[:len(whole)/2], 0o644))
	_, err = source.Read(cut)
	require.ErrorContains(t, err, "unexpected EOF")

	text := filepath.Join(t.TempDir(), "text.tar.gz")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("<html>", 100)), 0o644))
	_, err = source.Read(text)
	require.ErrorContains(t, err, "gzip: invalid header")

	signed := filepath.Join(t.TempDir(), "signed.tar.gz")
	c := cmd.Command(nil, "OPA")
	c.SetArgs([]string{"build", "--bundle", dir, "--output", signed, "--signing-key", "not-really-secret", "--signing-alg", "HS256"})
	require.NoError(t, c.Execute())
	src, err := source.Read(signed)
	require.NoError(t, err)
	_, err = Draft(t.Context(), src)
	require.ErrorContains(t, err, "verification key not provided")
}

// A folder in which files come and go while it is read is read whole.
func TestAFolderIsReadWhileFilesGoAway(t *testing.T) {
	dir, away := t.TempDir(), t.TempDir()
	write(t, dir, map[string]string{"x.rego": proposes("x", "true"), "y.rego": proposes("y", "true")})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if os.Rename(filepath.Join(dir, "y.rego"), filepath.Join(away, "y.rego")) != nil || os.Rename(filepath.Join(away, "y.rego"), filepath.Join(dir, "y.rego")) != nil {
				return
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	for range 300 {
		src, err := source.ReadDir(dir)
		require.NoError(t, err)
		require.NotEmpty(t, src.Files)
	}
}
