package policy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/plainfile"
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
	return newSource(Shipped, c.files), nil
}

// ReadDir reads a policy folder, following symbolic links. A hidden folder is
// read only through a link to it, so that a mounted ConfigMap's files, which are
// links into ..data, are each read once.
func ReadDir(dir string) (Source, error) {
	t, err := walked(dir)
	for range readAgain { // a file went away between its listing and its reading
		if _, top := os.Stat(dir); top != nil || !errors.Is(err, fs.ErrNotExist) {
			break
		}
		t, err = walked(dir)
	}
	if err != nil {
		return Source{}, fmt.Errorf("read policies: %w", err)
	}
	src := newSource(dir, t.files)
	src.Beside, src.Dangling = t.beside, t.dangling
	return src, nil
}

// readAgain is how often a folder is read again in which files go away.
const readAgain = 3

func walked(dir string) (*tree, error) {
	t := &tree{seen: map[string]string{}}
	if _, err := os.Stat(filepath.Join(dir, signatures)); err == nil {
		t.all = true
	}
	return t, t.walk(dir, "")
}

// maxNames bounds the files and folders, of whatever kind, that are looked at for one set
// of policies: a link may lead into a tree of any size.
const maxNames = 30_000

// maxFolders bounds the folders within folders, each of which is found anew by its path.
const maxFolders = 64

// tree walks a folder on disk. seen holds the real paths met, each with the path by which
// it was, against loops and files reachable in two ways.
type tree struct {
	collector
	seen map[string]string
	// top is the real path of the folder that the walk began in, and names how many
	// files and folders it met.
	top   string
	names int
	// dirs are the real paths of the folders in which a file was found or could appear.
	dirs []string
	// listing leaves the files unread.
	listing bool
	// dangling are links to nothing.
	dangling []string
	// all reads the other files too, for a signature that lists them.
	all bool
}

func (t *tree) walk(dir, rel string) error {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	if first, met := t.seen[real]; met {
		return t.again(rel, first)
	}
	t.seen[real] = rel
	if t.top == "" {
		t.top = real
	}
	if err := t.leads(real, rel); err != nil {
		return err
	}
	t.dirs = append(t.dirs, real)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if t.names += len(entries); t.names > maxNames {
		return fmt.Errorf("%s: there are more than %d files and folders together; name a folder with nothing but policies", path.Join(".", rel), maxNames)
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		info, err := os.Stat(name)
		below := path.Join(rel, e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			if e.Type()&fs.ModeSymlink != 0 && !hidden(e.Name()) && (wanted(e.Name()) || path.Ext(e.Name()) == "") {
				t.dangling = append(t.dangling, below)
			}
			continue // gone since, or a link to nothing
		}
		if err != nil {
			return err
		}
		switch {
		case info.IsDir():
			if err := t.folder(name, below); err != nil {
				return err
			}
		case wanted(e.Name()) && (!hidden(e.Name()) || e.Name() == ".manifest" || e.Name() == signatures || e.Name() == ignoreFile):
			if !info.Mode().IsRegular() {
				return fmt.Errorf("%s: not a plain file", below)
			}
			if err := t.file(name, below); err != nil {
				return err
			}
		case !info.Mode().IsRegular():
		case t.all && !t.listing && !wanted(e.Name()):
			if err := t.file(name, below); err != nil {
				return err
			}
		default:
			t.beside = append(t.beside, File{Path: below})
		}
	}
	return nil
}

// ofMount reports whether a hidden folder is one of a mounted ConfigMap: ..data, or what
// that leads to, which is called by its time.
func ofMount(base string) bool {
	rest, two := strings.CutPrefix(base, "..")
	return two && (strings.HasPrefix(rest, "data") || rest != "" && rest[0] >= '0' && rest[0] <= '9')
}

// again is the second way to a folder. Policies are read once, by their packages; data
// would have to be at two places.
func (t *tree) again(rel, first string) error {
	if first == "" || strings.HasPrefix(rel, first+"/") {
		return nil // a loop
	}
	for _, f := range t.files {
		if strings.HasPrefix(f.Path, first+"/") && isDataFile(path.Base(f.Path)) {
			return twoWays(path.Join(rel, strings.TrimPrefix(f.Path, first)), f.Path)
		}
	}
	return nil
}

func twoWays(rel, first string) error {
	return fmt.Errorf("%s: leads to %s, and data is read at one place alone; copy it, or have one of the two", rel, first)
}

// folder walks a folder below. In a hidden one it looks only for what should not be
// there: those of a mounted ConfigMap begin with two dots, and are linked to.
func (t *tree) folder(name, rel string) error {
	base := path.Base(rel)
	switch {
	case !hidden(base):
		return t.walk(name, rel)
	case ofMount(base) || slices.Contains(toolFolders, base):
		return nil
	}
	return filepath.WalkDir(name, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what can't be read there is not read anyway
		}
		if t.names++; t.names > maxNames {
			return fmt.Errorf("%s: there are more than %d files and folders together; name a folder with nothing but policies", rel, maxNames)
		}
		if (d.Type().IsRegular() || d.Type()&fs.ModeSymlink != 0) && wanted(d.Name()) {
			below, err := filepath.Rel(name, file)
			if err != nil {
				return err
			}
			t.beside = append(t.beside, File{Path: path.Join(rel, filepath.ToSlash(below))})
		}
		return nil
	})
}

// leads refuses a folder that no policies can be meant to be in.
func (t *tree) leads(real, rel string) error {
	if strings.Count(rel, "/") >= maxFolders {
		return fmt.Errorf("%s: more than %d folders deep", rel, maxFolders)
	}
	if rel != "" && t.top != real && strings.HasPrefix(t.top, strings.TrimSuffix(real, "/")+"/") {
		return fmt.Errorf("%s: a link to %s, a folder above the policies; link to a folder with nothing but policies", rel, real)
	}
	return ofKernel(real, rel)
}

// ofKernel refuses what lies in a file system of the kernel's own, as /proc: reading there
// may block, go on without end, or show what is a secret of this process.
func ofKernel(real, rel string) error {
	if kernelOwns(real) {
		return fmt.Errorf("%s: %s is in a file system of the kernel, which holds no policies", path.Join(".", rel), real)
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
	if first, met := t.seen[real]; met {
		if isDataFile(path.Base(rel)) && !t.listing {
			return twoWays(rel, first)
		}
		return nil
	}
	t.seen[real] = rel
	t.dirs = append(t.dirs, filepath.Dir(real))
	if t.listing {
		return nil
	}
	f, err := openPlain(real, rel)
	if err != nil {
		return err
	}
	return t.add(rel, f)
}

// openPlain opens a file to be read, if it is a plain one.
func openPlain(real, rel string) (*os.File, error) {
	f, err := plainfile.Open(real)
	if errors.Is(err, plainfile.ErrNotPlain) {
		return nil, fmt.Errorf("%s: not a plain file", rel)
	}
	if err != nil {
		return nil, err
	}
	if err := ofKernel(real, rel); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func hidden(name string) bool { return strings.HasPrefix(path.Base(name), ".") }

// collector gathers files within MaxBytes.
type collector struct {
	files []File
	// beside are the files that are not read.
	beside []File
	total  int64
}

// add reads a file to its end and closes it. One that is not read otherwise is kept beside.
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
	if wanted(name) {
		c.files = append(c.files, File{Path: name, Content: raw})
	} else {
		c.beside = append(c.beside, File{Path: name, Content: raw})
	}
	return nil
}
