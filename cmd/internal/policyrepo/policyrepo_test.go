package policyrepo

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func options(name string) Options {
	return Options{Name: name, Version: "v1.2.3", Go: "1.26.7", Data: ".scanflow"}
}

// tree lists the files below a folder.
func tree(t *testing.T, dir string) (out []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, name)
			out = append(out, filepath.ToSlash(rel))
		}
		return err
	}))
	return out
}

var written = []string{
	".github/workflows/policies.yaml", ".gitignore", "README.md", "agents/night-shift.yaml", "ci.sh", "policies/.manifest",
	"policies/scanflow/strategies/night_shift/heavy/heavy.rego", "policies/scanflow/strategies/night_shift/heavy/heavy_test.rego",
}

func TestWriteIntoFoldersAsTheyMayBe(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, dir string){
		"not there":   func(*testing.T, string) {},
		"empty":       func(t *testing.T, dir string) { require.NoError(t, os.MkdirAll(dir, 0o755)) },
		"a new clone": func(t *testing.T, dir string) { require.NoError(t, os.MkdirAll(filepath.Join(dir, ".git"), 0o755)) },
		"a link to empty": func(t *testing.T, dir string) {
			require.NoError(t, os.MkdirAll(filepath.Dir(dir), 0o755))
			require.NoError(t, os.Symlink(t.TempDir(), dir))
		},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "a", "b")
			prepare(t, dir)
			names, err := Write(dir, options("night-shift"))
			require.NoError(t, err)
			slices.Sort(names)
			require.Equal(t, written, names)
			real, err := filepath.EvalSymlinks(dir)
			require.NoError(t, err)
			require.Equal(t, written, tree(t, real))
			info, err := os.Stat(filepath.Join(dir, "ci.sh"))
			require.NoError(t, err)
			require.Equal(t, fs.FileMode(0o755), info.Mode().Perm())
			info, err = os.Stat(dir)
			require.NoError(t, err)
			require.NotZero(t, info.Mode().Perm()&0o055, "others may read it")
			left, err := os.ReadDir(filepath.Dir(dir))
			require.NoError(t, err)
			require.Len(t, left, 1, "nothing stays beside it")
			for _, file := range written {
				raw, err := os.ReadFile(filepath.Join(dir, file))
				require.NoError(t, err)
				require.NotRegexp(t, `@[A-Z]+@`, string(raw), file)
			}
		})
	}
}

func TestWhatIsRefusedWritesNothing(t *testing.T) {
	for name, row := range map[string]struct{ dir, name, want string }{
		"a file is there":     {"full", "first", "full is not empty: it holds a, b, c, d, e, 2 more; name a folder that is empty, or not there yet"},
		"a file":              {"full/a", "first", "not a directory; name a folder"},
		"a link to nothing":   {"dangling", "first", "is a link to nothing"},
		"no folder":           {"", "first", "DIR is empty"},
		"below a file":        {"full/a/b", "first", "not a directory"},
		"upper case":          {"new", "First", `"First" is no agent's name`},
		"a path":              {"new", "../x", `"../x" is no agent's name`},
		"an empty name":       {"new", "", `"" is no agent's name`},
		"a digit first":       {"new", "1st", `"1st" can't be a part of a Rego package`},
		"ends in a hyphen":    {"new", "a-", `"a-" is no agent's name`},
		"a name with a break": {"new", "a\nb", `is no agent's name`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			require.NoError(t, os.Mkdir("full", 0o755))
			for _, f := range []string{"a", "b", "c", "d", "e", "f", "g"} {
				require.NoError(t, os.WriteFile("full/"+f, nil, 0o644))
			}
			require.NoError(t, os.Symlink("nowhere", "dangling"))
			before := tree(t, ".")
			_, err := Write(row.dir, options(row.name))
			require.ErrorContains(t, err, row.want)
			require.Equal(t, before, tree(t, "."))
			entries, err := os.ReadDir(".")
			require.NoError(t, err)
			require.Len(t, entries, 2)
		})
	}
}
