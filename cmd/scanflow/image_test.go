package main

import (
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The image's build: from nothing but what .dockerignore lets through, the Dockerfile's
// own go build makes a static binary that knows its version.
func TestImageBuild(t *testing.T) {
	root := filepath.Join("..", "..")
	raw, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	require.NoError(t, err)
	build := regexp.MustCompile(`(?m)^RUN (CGO_ENABLED=0 go build .*)$`).FindStringSubmatch(string(raw))
	require.NotNil(t, build)
	src, out := t.TempDir(), t.TempDir()
	copyContext(t, root, src)
	binary := filepath.Join(out, "scanflow")
	c := exec.Command("sh", "-c", strings.ReplaceAll(build[1], "/out/scanflow", binary))
	c.Dir, c.Env = src, append(os.Environ(), "VERSION=v1.2.3", "GOFLAGS=-mod=readonly")
	said, err := c.CombinedOutput()
	require.NoError(t, err, string(said))

	if runtime.GOOS == "linux" { // elsewhere the build is of another format
		f, err := elf.Open(binary)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, f.Close()) })
		for _, p := range f.Progs {
			require.NotEqual(t, elf.PT_INTERP, p.Type, "it wants a dynamic linker")
		}
		libraries, err := f.ImportedLibraries()
		require.NoError(t, err)
		require.Empty(t, libraries)
	}
	said, err = exec.Command(binary, "--version").CombinedOutput()
	require.NoError(t, err, string(said))
	require.Contains(t, string(said), "v1.2.3")
}

// copyContext copies what .dockerignore lets through: the folders and files named after
// an exclamation mark, without tests and their data.
func copyContext(t *testing.T, root, to string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	require.NoError(t, err)
	for line := range strings.Lines(string(raw)) {
		name, kept := strings.CutPrefix(strings.TrimSpace(line), "!")
		if !kept {
			continue
		}
		require.NoError(t, filepath.WalkDir(filepath.Join(root, name), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			below, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			switch {
			case d.Name() == "testdata":
				return fs.SkipDir
			case d.IsDir():
				return os.MkdirAll(filepath.Join(to, below), 0o755)
			case strings.HasSuffix(path, "_test.go"):
				return nil
			}
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(to, below), raw, 0o644)
		}))
	}
}

// The image is built by a Go version that go.mod accepts, runs as an unprivileged user, and
// contains only what is copied.
func TestImage(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "Dockerfile"))
	require.NoError(t, err)
	mod, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	require.NoError(t, err)
	builder := regexp.MustCompile(`(?m)^FROM golang:(1\.\d+\.\d+) AS build$`).FindStringSubmatch(string(raw))
	require.NotNil(t, builder)
	wants := regexp.MustCompile(`(?m)^go (1\.\d+)\.\d+$`).FindStringSubmatch(string(mod))
	require.NotNil(t, wants)
	require.True(t, strings.HasPrefix(builder[1], wants[1]+"."), "builds with %s, and go.mod wants %s", builder[1], wants[1])
	_, last, found := strings.Cut(string(raw), "\nFROM scratch\n")
	require.True(t, found)
	require.Contains(t, last, "\nUSER 65532:65532\n")
	require.Contains(t, last, "\nENTRYPOINT [\"/scanflow\"]\n")
	require.Contains(t, last, "ca-certificates.crt")
}
