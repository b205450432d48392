package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine/confine"
	"github.com/scanflow-k8s/scanflow/engine/plainfile"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// formatter formats files, and counts what it finds.
type formatter struct {
	check, diff  bool
	out, errOut  io.Writer
	found        int  // Rego files
	unformatted  int  // files that are not as they are formatted
	couldNotRead bool // a file could not be read or formatted
}

func newFmt() *cobra.Command {
	var f formatter
	c := &cobra.Command{
		Use:   "fmt [PATH...]",
		Short: "Format Rego as OPA's formatter does",
		Long: `Rewrites Rego files, and those in folders and below, as "opa fmt --write" does for
Rego v1, and prints the names of those that changed. Without PATH it formats the
folder policies, or this folder where there is none. "-" formats standard input to
standard output. Hidden folders are left out. It formats Rego only: manifests are
YAML, and stay as they are written.

--check writes nothing: it prints the names of files that are not formatted, and the
exit status is 1 if there are any. --diff writes nothing and prints the changes;
with --check too, the exit status is that of --check. A file that can't be read, or
that is not Rego v1, is named, and the exit status is 2.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.out, f.errOut = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return f.run(cmd, args)
		},
	}
	c.Flags().BoolVarP(&f.check, "check", "l", false, "write nothing, print the names of files that are not formatted, and exit with status 1 if there are any")
	c.Flags().BoolVarP(&f.diff, "diff", "d", false, "write nothing, and print the changes")
	return confined(confinedMemory, c)
}

// formatTimeout bounds formatting all files.
const formatTimeout = confinedTimeout

// maxRego bounds a file.
const maxRego = 16 << 20

func (f *formatter) run(cmd *cobra.Command, paths []string) error {
	confine.Doing("formatting", formatTimeout)
	if len(paths) == 0 {
		paths = []string{"."}
		if info, err := os.Stat("policies"); err == nil && info.IsDir() {
			paths = []string{"policies"}
		}
	}
	for _, path := range paths {
		before := f.found
		switch {
		case path == "-" && len(paths) > 1:
			return errors.New("-: standard input is formatted alone; leave the other paths out")
		case path == "-":
			f.stdin(cmd.InOrStdin())
		default:
			f.walk(path)
		}
		if f.found == before && !f.couldNotRead {
			f.failed(fmt.Errorf("%s: holds no file that ends in .rego", path))
		}
	}
	switch {
	case f.couldNotRead:
		return exitCode(2)
	case f.check && f.unformatted > 0:
		return errSilent
	}
	return nil
}

func (f *formatter) failed(err error) {
	f.couldNotRead = true
	_, _ = fmt.Fprintln(f.errOut, plot.Text(err.Error()))
}

func (f *formatter) stdin(in io.Reader) {
	f.found++
	text, err := io.ReadAll(in)
	if err != nil {
		f.failed(err)
		return
	}
	formatted, err := policy.Format("standard input", text)
	switch {
	case err != nil:
		f.failed(err)
	case f.check || f.diff:
		f.report("standard input", text, formatted)
	default:
		_, _ = f.out.Write(formatted)
	}
}

// walk formats a file, or the Rego files of a folder.
func (f *formatter) walk(path string) {
	root, err := filepath.EvalSymlinks(path) // WalkDir does not follow its root
	if err != nil {
		f.failed(err)
		return
	}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		shown := filepath.Join(path, strings.TrimPrefix(name, root))
		switch {
		case err != nil:
			f.failed(err)
		case d.IsDir() && name != root && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir():
		case filepath.Ext(name) == ".rego":
			f.found++
			f.file(name, shown)
		case name == root:
			f.found++
			f.failed(fmt.Errorf("%s: is no Rego file: its name does not end in .rego, and nothing else is formatted", shown))
		}
		return nil
	})
	if err != nil {
		f.failed(err)
	}
}

func (f *formatter) file(name, shown string) {
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real // the file is rewritten, and a link to it stays one
	}
	text, err := plainfile.Read(name, maxRego)
	if err != nil {
		f.failed(err)
		return
	}
	formatted, err := policy.Format(shown, text)
	switch {
	case err != nil:
		f.failed(err)
		return
	case bytes.Equal(text, formatted):
		return
	case f.check || f.diff:
		f.report(shown, text, formatted)
		return
	}
	if err := replaceFile(name, formatted); err != nil {
		f.failed(err)
		return
	}
	_, _ = fmt.Fprintln(f.out, plot.Line(shown))
}

// report prints the name of a file that is not formatted, or what would change.
func (f *formatter) report(name string, text, formatted []byte) {
	if bytes.Equal(text, formatted) {
		return
	}
	f.unformatted++
	if !f.diff {
		_, _ = fmt.Fprintln(f.out, plot.Line(name))
		return
	}
	diff, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: linesOf(text), B: linesOf(formatted), FromFile: plot.Line(name), ToFile: plot.Line(name) + " (formatted)", Context: 3,
	})
	if err != nil {
		f.failed(err)
		return
	}
	_, _ = fmt.Fprint(f.out, plot.Text(diff))
}

// linesOf splits a text into lines, as a unified diff shows them.
func linesOf(text []byte) []string {
	lines := strings.SplitAfter(string(text), "\n")
	last := len(lines) - 1
	if lines[last] == "" {
		return lines[:last]
	}
	lines[last] += "\n\\ No newline at end of file\n"
	return lines
}

// replaceFile writes a file beside another and renames it over that, so that a reader, such as
// a running scanflow, never reads a part of it.
func replaceFile(name string, text []byte) (err error) {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part.Name()))
		}
	}()
	_, err = part.Write(text)
	if err = errors.Join(err, part.Chmod(info.Mode().Perm()), part.Close()); err != nil {
		return err
	}
	return os.Rename(part.Name(), name)
}
