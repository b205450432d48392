package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/plainfile"
)

// Reader reads a set of policies. Each call reads the current content.
type Reader func() (Source, error)

// FromPath returns a Reader of a folder, or of a bundle if the path ends in .tar.gz or .tgz.
func FromPath(name string) Reader { return func() (Source, error) { return Read(name) } }

// FromFS returns a Reader of the policies in a file system, such as an embedded one.
func FromFS(fsys fs.FS) Reader { return func() (Source, error) { return ReadFS(fsys) } }

// Read reads a folder, or a bundle if the path ends in .tar.gz or .tgz.
func Read(name string) (Source, error) {
	if isBundle(name) {
		return ReadBundle(name)
	}
	return ReadDir(name)
}

func isBundle(name string) bool {
	return strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz")
}

// ReadFS reads the policies in a file system. It skips hidden folders.
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
		if !IsPolicyFile(name) {
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
	return newSource(Shipped, c.files), nil
}

// maxNames bounds the files and folders of one set of policies, whether they are
// read or not: a link may lead into a tree of any size.
const maxNames = 30_000

// openPlain opens a regular file for reading.
func openPlain(real, rel string) (*os.File, error) {
	f, err := plainfile.Open(real)
	if errors.Is(err, plainfile.ErrNotPlain) {
		return nil, fmt.Errorf("%s: not a plain file", rel)
	}
	if err != nil {
		return nil, err
	}
	if err := checkFileSystem(real, rel); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func hidden(name string) bool { return strings.HasPrefix(path.Base(name), ".") }

// collector collects files up to MaxBytes.
type collector struct {
	files []File
	// beside are the files that are no policy files.
	beside []File
	total  int64
}

// add reads a file to its end and closes it.
func (c *collector) add(name string, r io.ReadCloser) error {
	raw, err := io.ReadAll(io.LimitReader(r, MaxBytes-c.total+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(c.files)+len(c.beside) >= maxNames {
		return fmt.Errorf("%s: there are more than %d files together", name, maxNames)
	}
	c.total += int64(len(raw))
	if c.total > MaxBytes {
		return fmt.Errorf("%s: the policies are larger than %d MiB together", name, MaxBytes>>20)
	}
	if IsPolicyFile(name) {
		c.files = append(c.files, File{Path: name, Content: raw})
	} else {
		c.beside = append(c.beside, File{Path: name, Content: raw})
	}
	return nil
}
