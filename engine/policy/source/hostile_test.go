package source

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFolderThatNoPoliciesCanBeMeantToBeIn(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T, dir string)
		says string
	}{
		"above": {func(t *testing.T, dir string) { require.NoError(t, os.Symlink("..", filepath.Join(dir, "up"))) }, "up: a link to"},
		"all":   {func(t *testing.T, dir string) { require.NoError(t, os.Symlink("/", filepath.Join(dir, "all"))) }, "all: a link to /, a folder above the policies"},
		"deep": {func(t *testing.T, dir string) {
			require.NoError(t, os.MkdirAll(filepath.Join(dir, strings.Repeat("d/", 70)), 0o755))
		}, "more than 64 folders deep"},
		"wide": {func(t *testing.T, dir string) {
			for i := range maxNames {
				require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o644))
			}
		}, "more than 30000 files and folders"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "policies")
			writePolicy(t, dir)
			c.make(t, dir)
			_, err := ReadDir(dir)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestFilesThatTheKernelMakesUpAreNotRead(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	for _, file := range []string{"/proc/self/environ", "/proc/self/maps", "/proc"} {
		dir := t.TempDir()
		writePolicy(t, dir)
		require.NoError(t, os.Symlink(file, filepath.Join(dir, "x.rego")))
		_, err := ReadDir(dir)
		require.ErrorContains(t, err, "is in a file system of the kernel, which holds no policies", file)
	}
}

func TestAPipeIsNotWaitedFor(t *testing.T) {
	name := filepath.Join(t.TempDir(), "b.tar.gz")
	require.NoError(t, syscall.Mkfifo(name, 0o644))
	_, err := Read(name)
	require.ErrorContains(t, err, "not a plain file")
}

func TestWhatIsNoPlainFileIsRefused(t *testing.T) {
	for name, make := range map[string]func(name string) error{
		"a pipe":   func(name string) error { return syscall.Mkfifo(name, 0o644) },
		"a device": func(name string) error { return os.Symlink("/dev/zero", name) },
	} {
		dir := t.TempDir()
		writePolicy(t, dir)
		require.NoError(t, make(filepath.Join(dir, "more.rego")))
		_, err := ReadDir(dir)
		require.ErrorContains(t, err, "more.rego: not a plain file", name)
	}
}

func TestWhatABundleUnpacksToIsBounded(t *testing.T) {
	pack := func(names ...string) []byte {
		var out bytes.Buffer
		zw := gzip.NewWriter(&out)
		w := tar.NewWriter(zw)
		for _, name := range names {
			body := "package x\n"
			require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(body))}))
			_, err := io.WriteString(w, body)
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		require.NoError(t, zw.Close())
		return out.Bytes()
	}
	var large bytes.Buffer
	zw := gzip.NewWriter(&large)
	w := tar.NewWriter(zw)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "x.bin", Mode: 0o644, Size: 3 * MaxBytes}))
	_, err := w.Write(make([]byte, 3*MaxBytes))
	require.NoError(t, err)
	require.NoError(t, zw.Close())
	var headers bytes.Buffer // a header ends at the limit, as if the archive ended there
	zw = gzip.NewWriter(&headers)
	w = tar.NewWriter(zw)
	for range 3 * MaxBytes / 512 {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: "x.bin", Mode: 0o644}))
	}
	require.NoError(t, zw.Close())
	var linked bytes.Buffer
	zw = gzip.NewWriter(&linked)
	w = tar.NewWriter(zw)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "x.rego", Typeflag: tar.TypeSymlink, Linkname: "y.rego"}))
	require.NoError(t, w.Close())
	require.NoError(t, zw.Close())
	_, err = Unpack("here", headers.Bytes())
	require.ErrorContains(t, err, "it unpacks to more than 64 MiB")
	for says, packed := range map[string][]byte{
		"x.rego is no plain file; pack what a link leads to": linked.Bytes(),
		"x.rego is in it twice":                              pack("x.rego", "a/../x.rego"),
		"it unpacks to more than 64 MiB":                     large.Bytes(),
		"gzip: invalid header: it is no .":                   []byte("<html>log in</html>"),
	} {
		_, err := Unpack("here", packed)
		require.ErrorContains(t, err, says)
	}
	_, err = Unpack("here", pack("x.rego", "y.rego"))
	require.NoError(t, err)
}

// writePolicy writes a policy into a folder.
func writePolicy(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lib.rego"), []byte("package scanflow.lib\n"), 0o644))
}
