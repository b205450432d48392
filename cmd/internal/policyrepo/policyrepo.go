// Package policyrepo writes a new policy repository: an agent, a strategy with its tests, and
// what checks them in CI. It writes all files or none, and nothing over a file that is there.
// Start reading at Write.
package policyrepo

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/policy"
)

//go:embed all:files
var files embed.FS

// Options are the names that the files have.
type Options struct {
	// Name is that of the agent. The strategy's package is named after it.
	Name string
	// Version of scanflow and of Go that CI installs.
	Version, Go string
	// Data is the data folder, which git ignores.
	Data string
}

var agentName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// packageName returns the part of a Rego package for a name.
func packageName(name string) (string, error) {
	if !agentName.MatchString(name) {
		return "", fmt.Errorf("%q is no agent's name; write at most 63 lower-case letters, digits and -, with a letter or a digit at both ends", name)
	}
	part := strings.ReplaceAll(name, "-", "_")
	if _, err := policy.Format("name", []byte("package scanflow.strategies."+part+".heavy\n\nimport data.scanflow.strategies."+part+".heavy\n")); err != nil {
		return "", fmt.Errorf("%q can't be a part of a Rego package, which the strategy is named by; begin with a letter", name)
	}
	return part, nil
}

// Write writes the repository into a folder, which is made if it isn't there. It is empty, but
// for the .git of a new clone. Write returns the names of the files.
func Write(dir string, o Options) ([]string, error) {
	part, err := packageName(o.Name)
	if err != nil {
		return nil, err
	}
	exists, err := checkEmpty(dir)
	if err != nil {
		return nil, err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if exists {
		parent = dir
	} else if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(parent, ".scanflow-init-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(temp) }() // it was renamed, or what is in it is not wanted
	names, err := writeFiles(temp, part, o)
	if err != nil {
		return nil, err
	}
	if exists {
		return names, moveInto(dir, temp)
	}
	if err := os.Chmod(temp, 0o755); err != nil {
		return nil, err
	}
	return names, os.Rename(temp, dir)
}

// checkEmpty returns an error if a folder holds anything but .git, and reports whether it
// exists.
func checkEmpty(dir string) (exists bool, err error) {
	if dir == "" {
		return false, errors.New("DIR is empty; name a folder, like policies")
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if _, broken := os.Lstat(dir); broken == nil {
			return false, fmt.Errorf("%s is a link to nothing; remove it, or name another folder", dir)
		}
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%w; name a folder that is empty, or not there yet", err)
	}
	var there []string
	for _, e := range entries {
		if e.Name() != ".git" {
			there = append(there, e.Name())
		}
	}
	const most = 5
	if n := len(there); n > most {
		there = append(there[:most], fmt.Sprintf("%d more", n-most))
	}
	if len(there) > 0 {
		return true, fmt.Errorf("%s is not empty: it holds %s; name a folder that is empty, or not there yet", dir, strings.Join(there, ", "))
	}
	return true, nil
}

func writeFiles(dir, part string, o Options) (names []string, err error) {
	inPath := strings.NewReplacer("NAME", o.Name, "PACKAGE", part)
	inText := strings.NewReplacer("@NAME@", o.Name, "@PACKAGE@", part, "@VERSION@", o.Version, "@GO@", o.Go, "@DATA@", strings.Trim(filepath.ToSlash(o.Data), "/"))
	err = fs.WalkDir(files, "files", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		to := inPath.Replace(strings.TrimPrefix(name, "files/"))
		mode := fs.FileMode(0o644)
		if path.Ext(to) == ".sh" {
			mode = 0o755
		}
		file := filepath.Join(dir, filepath.FromSlash(to))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		names = append(names, to)
		return os.WriteFile(file, []byte(inText.Replace(string(raw))), mode)
	})
	return names, err
}

// moveInto moves what a folder holds into another, all or nothing.
func moveInto(dir, from string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for i, e := range entries {
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(dir, e.Name())); err != nil {
			for _, moved := range entries[:i] {
				err = errors.Join(err, os.RemoveAll(filepath.Join(dir, moved.Name())))
			}
			return err
		}
	}
	return nil
}
