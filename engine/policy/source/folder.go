package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// ReadDir reads a policy folder and follows symbolic links. It reads a hidden
// folder only through a link, so that each file of a mounted ConfigMap, which is
// a link into ..data, is read once.
func ReadDir(dir string) (Source, error) {
	t, err := walkFolder(dir)
	for range readRetries { // a file was removed after it was listed
		if _, top := os.Stat(dir); top != nil || !errors.Is(err, fs.ErrNotExist) {
			break
		}
		t, err = walkFolder(dir)
	}
	if err != nil {
		return Source{}, fmt.Errorf("read policies: %w", err)
	}
	src := newSource(dir, t.files)
	src.Beside, src.Dangling = t.beside, t.dangling
	return src, nil
}

// readRetries bounds how often a folder is read again when files disappear meanwhile.
const readRetries = 3

func walkFolder(dir string) (*tree, error) {
	t := &tree{seen: map[string]string{}}
	if _, err := os.Stat(filepath.Join(dir, signaturesFile)); err == nil {
		t.withOthers = true
	}
	return t, t.walk(dir, "")
}

// maxFolders bounds the depth of folders.
const maxFolders = 64

// tree walks a folder on disk. seen maps each real path to the path by which it was
// reached first, to detect loops and files that are reachable by two paths.
type tree struct {
	collector
	seen map[string]string
	// root is the real path of the folder that the walk began in. names counts the
	// files and folders.
	root  string
	names int
	// dirs are the real paths of the folders in which a file was found or could appear.
	dirs []string
	// namesOnly skips reading the files.
	namesOnly bool
	// dangling are broken links.
	dangling []string
	// withOthers reads the other files too, because a signature lists them.
	withOthers bool
}

func (t *tree) walk(dir, rel string) error {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	if first, met := t.seen[real]; met {
		return t.secondPath(rel, first)
	}
	t.seen[real] = rel
	if t.root == "" {
		t.root = real
	}
	if err := t.checkFolder(real, rel); err != nil {
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
			if e.Type()&fs.ModeSymlink != 0 && !hidden(e.Name()) && (IsPolicyFile(e.Name()) || path.Ext(e.Name()) == "") {
				t.dangling = append(t.dangling, below)
			}
			continue // removed meanwhile, or a broken link
		}
		if err != nil {
			return err
		}
		switch {
		case info.IsDir():
			if err := t.folder(name, below); err != nil {
				return err
			}
		case IsPolicyFile(e.Name()) && (!hidden(e.Name()) || e.Name() == ".manifest" || e.Name() == signaturesFile || e.Name() == ignoreFile):
			if !info.Mode().IsRegular() {
				return fmt.Errorf("%s: not a plain file", below)
			}
			if err := t.file(name, below); err != nil {
				return err
			}
		case !info.Mode().IsRegular():
		case t.withOthers && !t.namesOnly && !IsPolicyFile(e.Name()):
			if err := t.file(name, below); err != nil {
				return err
			}
		default:
			t.beside = append(t.beside, File{Path: below})
		}
	}
	return nil
}

// isConfigMapFolder reports whether a hidden folder belongs to a mounted ConfigMap:
// ..data, or the timestamped folder that it links to.
func isConfigMapFolder(base string) bool {
	rest, two := strings.CutPrefix(base, "..")
	return two && (strings.HasPrefix(rest, "data") || rest != "" && rest[0] >= '0' && rest[0] <= '9')
}

// secondPath handles a folder that is reached by a second path. That is harmless
// for policies, which are read once; for data it is an error, because data has the
// path of its folder.
func (t *tree) secondPath(rel, first string) error {
	if first == "" || strings.HasPrefix(rel, first+"/") {
		return nil // a loop
	}
	for _, f := range t.files {
		if strings.HasPrefix(f.Path, first+"/") && isDataFile(path.Base(f.Path)) {
			return duplicateDataError(path.Join(rel, strings.TrimPrefix(f.Path, first)), f.Path)
		}
	}
	return nil
}

func duplicateDataError(rel, first string) error {
	return fmt.Errorf("%s: leads to %s, and data is read at one place alone; copy it, or have one of the two", rel, first)
}

// folder walks a subfolder. In a hidden one it only collects policy files, to report
// that they are not read. Those of a mounted ConfigMap are read through links.
func (t *tree) folder(name, rel string) error {
	base := path.Base(rel)
	switch {
	case !hidden(base):
		return t.walk(name, rel)
	case isConfigMapFolder(base) || slices.Contains(toolFolders, base):
		return nil
	}
	return filepath.WalkDir(name, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // files in hidden folders are not read anyway
		}
		if t.names++; t.names > maxNames {
			return fmt.Errorf("%s: there are more than %d files and folders together; name a folder with nothing but policies", rel, maxNames)
		}
		if (d.Type().IsRegular() || d.Type()&fs.ModeSymlink != 0) && IsPolicyFile(d.Name()) {
			below, err := filepath.Rel(name, file)
			if err != nil {
				return err
			}
			t.beside = append(t.beside, File{Path: path.Join(rel, filepath.ToSlash(below))})
		}
		return nil
	})
}

// checkFolder refuses a folder that can't be a policy folder.
func (t *tree) checkFolder(real, rel string) error {
	if strings.Count(rel, "/") >= maxFolders {
		return fmt.Errorf("%s: more than %d folders deep", rel, maxFolders)
	}
	if rel != "" && t.root != real && strings.HasPrefix(t.root, strings.TrimSuffix(real, "/")+"/") {
		return fmt.Errorf("%s: a link to %s, a folder above the policies; link to a folder with nothing but policies", rel, real)
	}
	return checkFileSystem(real, rel)
}

// checkFileSystem refuses paths in a file system of the kernel, such as /proc. Reading
// there may block, never end, or reveal secrets of this process.
func checkFileSystem(real, rel string) error {
	if onKernelFS(real) {
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
		if isDataFile(path.Base(rel)) && !t.namesOnly {
			return duplicateDataError(rel, first)
		}
		return nil
	}
	t.seen[real] = rel
	t.dirs = append(t.dirs, filepath.Dir(real))
	if t.namesOnly {
		return nil
	}
	f, err := openPlain(real, rel)
	if err != nil {
		return err
	}
	return t.add(rel, f)
}
