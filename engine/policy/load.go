package policy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Reader reads a set of policies, each time anew.
type Reader func() (Source, error)

// FromPath reads a folder, or a bundle where the path ends in .tar.gz or .tgz.
func FromPath(name string) Reader { return func() (Source, error) { return Read(name) } }

// FromFS reads the policies in a file system, as one embedded in the binary.
func FromFS(fsys fs.FS) Reader { return func() (Source, error) { return ReadFS(fsys) } }

// Read reads a folder, or a bundle where the path ends in .tar.gz or .tgz.
func Read(name string) (Source, error) {
	if isBundle(name) {
		return ReadBundle(name)
	}
	return ReadDir(name)
}

func isBundle(name string) bool {
	return strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz")
}

// ReadFS reads the policies in a file system. Hidden folders are left out.
func ReadFS(fsys fs.FS) (Source, error) {
	var c collector
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && hidden(name) {
				return fs.SkipDir
			}
			return nil
		}
		if !wanted(name) {
			return nil
		}
		f, err := fsys.Open(name)
		if err != nil {
			return err
		}
		return c.add(name, f)
	})
	if err != nil {
		return Source{}, fmt.Errorf("read policies: %w", err)
	}
	return newSource("the built-in policies", c.files), nil
}

// ReadDir reads a policy folder, following symbolic links. A hidden folder is
// read only through a link to it, so that a mounted ConfigMap's files, which are
// links into ..data, are each read once.
func ReadDir(dir string) (Source, error) {
	t := tree{seen: map[string]bool{}}
	if err := t.walk(dir, ""); err != nil {
		return Source{}, fmt.Errorf("read policies: %w", err)
	}
	return newSource(dir, t.files), nil
}

// tree walks a folder on disk. seen holds the real paths met, against loops and
// files reachable in two ways.
type tree struct {
	collector
	seen map[string]bool
	// dirs are the real paths of the folders in which a file was found or could appear.
	dirs []string
	// listing leaves the files unread.
	listing bool
}

func (t *tree) walk(dir, rel string) error {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	if t.seen[real] {
		return nil
	}
	t.seen[real] = true
	t.dirs = append(t.dirs, real)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since, or a link to nothing
		}
		if err != nil {
			return err
		}
		below := path.Join(rel, e.Name())
		switch {
		case info.IsDir():
			if !hidden(e.Name()) {
				if err := t.walk(name, below); err != nil {
					return err
				}
			}
		case info.Mode().IsRegular() && wanted(e.Name()) && (!hidden(e.Name()) || e.Name() == ".manifest"):
			if err := t.file(name, below); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tree) file(name, rel string) error {
	real, err := filepath.EvalSymlinks(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if t.seen[real] {
		return nil
	}
	t.seen[real] = true
	t.dirs = append(t.dirs, filepath.Dir(real))
	if t.listing {
		return nil
	}
	f, err := os.Open(real)
	if err != nil {
		return err
	}
	return t.add(rel, f)
}

func hidden(name string) bool { return strings.HasPrefix(path.Base(name), ".") }

// collector gathers files within MaxBytes.
type collector struct {
	files []File
	total int64
}

// add reads a file to its end and closes it.
func (c *collector) add(name string, r io.ReadCloser) error {
	raw, err := io.ReadAll(io.LimitReader(r, MaxBytes-c.total+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	c.total += int64(len(raw))
	if c.total > MaxBytes {
		return fmt.Errorf("%s: the policies are larger than %d MiB together", name, MaxBytes>>20)
	}
	c.files = append(c.files, File{Path: name, Content: raw})
	return nil
}
