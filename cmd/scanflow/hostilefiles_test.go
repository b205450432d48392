package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// linkTo is a folder with one symbolic link in it.
func linkTo(name, to string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { require.NoError(t, os.Symlink(to, filepath.Join(dir, name))) }
}

// hostileFiles returns policy folders with entries other than plain text files.
func hostileFiles() []hostileFolder {
	const module = "package scanflow.lib.aside\n\nx := 1\n"
	return []hostileFolder{
		{name: "NUL bytes", files: one("aside.rego", text("package scanflow.lib.aside\n\nx := \"\x00\x00\"\n\x00")), want: refused, says: "aside.rego:"},
		{name: "no UTF-8", files: one("aside.rego", text("package scanflow.lib.aside\n\nx := \"\xff\xfe\xc0\"\n"))},
		{name: "a byte order mark", files: one("aside.rego", text("\ufeff"+module))},
		{name: "two bytes for each character", files: one("aside.rego", text("\xff\xfep\x00a\x00c\x00k\x00")), want: refused, says: "aside.rego:"},
		{name: "a program", files: one("aside.rego", text("\x7fELF\x02\x01\x01\x00"+strings.Repeat("\x00\x90\xcc\n", 1<<18))), want: refused, says: "aside.rego:"},
		{name: "an empty module", files: one("aside.rego", text("")), want: refused, says: "empty module"},
		{name: "only comments", files: one("aside.rego", text("# nothing\n\n# METADATA\n# title: none\n")), want: refused, says: "aside.rego"},
		{name: "a module of 30 MB on one line", files: one("aside.rego", func() string { return module + "y := [" + strings.Repeat("1,", 15<<20) + "1]" }), want: slow},
		{name: "40 MB in all", files: func() map[string]string {
			return map[string]string{"a.rego": "# " + strings.Repeat("x", 20<<20), "b.rego": "# " + strings.Repeat("x", 20<<20)}
		}, want: refused, says: "larger than 32 MiB together"},
		{name: "10,000 modules", files: func() map[string]string {
			out := map[string]string{}
			for i := range 10_000 {
				out[fmt.Sprintf("m%d/x.rego", i)] = fmt.Sprintf("package scanflow.lib.m%d\n\nx := %d\n", i, i)
			}
			return out
		}, want: slow},
		{name: "a link to itself", put: linkTo("loop.rego", "loop.rego"), want: refused, says: "too many levels of symbolic links"},
		{name: "a link to the folder itself", put: linkTo("again", "../../policies"), want: taken},
		{name: "a link to a folder above", put: linkTo("up", "../.."), want: refused, says: "a folder above the policies"},
		{name: "a link to nothing", put: linkTo("none.rego", "nowhere"), want: taken},
		{name: "a pipe", put: func(t *testing.T, dir string) {
			require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "x.rego"), 0o644))
			require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "data.json"), 0o644))
		}, want: refused, says: "not a plain file"},
		{name: "a socket", put: func(t *testing.T, dir string) {
			real, err := filepath.EvalSymlinks(dir)
			require.NoError(t, err)
			address := filepath.Join(real, "s.rego")
			if len(address) > 100 {
				t.Skip("the path is too long for a socket")
			}
			l, err := net.Listen("unix", address)
			require.NoError(t, err)
			t.Cleanup(func() { _ = l.Close() })
		}, want: refused, says: "not a plain file"},
		{name: "a folder of the name of a module", put: func(t *testing.T, dir string) {
			require.NoError(t, os.MkdirAll(filepath.Join(dir, "x.rego", "data.json"), 0o755))
		}, want: taken},
		{name: "a module that may not be read", put: func(t *testing.T, dir string) {
			if os.Geteuid() == 0 {
				t.Skip("root may read everything")
			}
			require.NoError(t, os.WriteFile(filepath.Join(dir, "x.rego"), []byte(module), 0o000))
		}, want: refused, says: "permission denied"},
		{name: "a device without end", put: linkTo("data.json", "/dev/zero"), want: refused, says: "not a plain file"},
		{name: "a terminal", put: linkTo("x.rego", "/dev/tty"), want: refused, says: "not a plain file"},
		{name: "the log of the kernel", put: linkTo("x.rego", "/proc/kmsg"), want: refused, says: "in a file system of the kernel"},
		{name: "the map of the process", put: linkTo("x.rego", "/proc/self/maps"), want: refused, says: "in a file system of the kernel"},
		{name: "the memory of the process", put: linkTo("data.json", "/proc/self/mem"), want: refused, says: "in a file system of the kernel"},
		{name: "the environment of the process", put: linkTo("data.yaml", "/proc/self/environ"), want: refused, says: "in a file system of the kernel"},
		{name: "all processes", put: linkTo("more", "/proc"), want: refused, says: "in a file system of the kernel"},
		{name: "all of the machine", put: linkTo("more", "/"), want: refused, says: "a folder above the policies"},
		{name: "10 GB of nothing", put: func(t *testing.T, dir string) {
			file := filepath.Join(dir, "x.rego")
			require.NoError(t, os.WriteFile(file, nil, 0o644))
			require.NoError(t, os.Truncate(file, 10<<30))
		}, want: refused, says: "larger than 32 MiB together"},
		{name: "300 folders deep", put: func(t *testing.T, dir string) {
			require.NoError(t, os.MkdirAll(filepath.Join(dir, strings.Repeat("d/", 300)), 0o755))
		}, want: refused, says: "more than 64 folders deep"},
		{name: "31,000 names", put: func(t *testing.T, dir string) {
			for i := range 31_000 {
				require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, fmt.Sprintf("%d.rego", i))))
			}
		}, want: slow},
		{name: "names of control characters", files: func() map[string]string {
			return map[string]string{"\x1b[2J\n{\"@level\":\"error\"}.rego": "package", "\xff\xfe.rego": "package"}
		}, want: refused, says: "rego_parse_error"},
	}
}
