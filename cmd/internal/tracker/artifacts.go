package tracker

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
)

// artifacts is the folder of uploaded files. Every path in it is opened by os.Root,
// which leaves the folder neither by dots nor by links.
type artifacts struct {
	root *os.Root
	most int64 // bytes of a file
	next atomic.Int64
}

// incoming holds uploads in progress. Files that a crash left there are deleted.
const incoming = ".incoming"

func openArtifacts(dir string, most int64) (*artifacts, error) {
	name := filepath.Join(dir, "artifacts")
	if err := os.MkdirAll(name, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	err = root.RemoveAll(incoming)
	if err == nil {
		err = root.Mkdir(incoming, 0o700)
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &artifacts{root: root, most: most}, nil
}

func (a *artifacts) close() error { return a.root.Close() }

// put writes a file atomically, and returns when it is durable.
func (a *artifacts) put(name string, body io.Reader) error {
	if name == "." {
		return errPath
	}
	temporary := incoming + "/" + strconv.FormatInt(a.next.Add(1), 10)
	if err := a.receive(temporary, body); err != nil {
		return errors.Join(err, ignoreMissing(a.root.Remove(temporary)))
	}
	folder := path.Dir(name)
	err := a.root.MkdirAll(folder, 0o700)
	if err == nil {
		err = a.root.Rename(temporary, name)
	}
	if err != nil {
		return errors.Join(unwritable(name, err), a.root.Remove(temporary))
	}
	for { // the names of new folders must last as well
		if err := a.sync(folder); err != nil || folder == "." {
			return err
		}
		folder = path.Dir(folder)
	}
}

func (a *artifacts) receive(temporary string, body io.Reader) error {
	f, err := a.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(body, a.most+1))
	switch {
	case err != nil && !errors.As(err, new(*fs.PathError)):
		err = invalid("the upload ended too early: %v", err)
	case err == nil && n > a.most:
		err = invalid("the file is longer than %d bytes", a.most)
	case err == nil:
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (a *artifacts) sync(folder string) error {
	d, err := a.root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// open opens a file for reading.
func (a *artifacts) open(name string) (*os.File, error) {
	f, err := a.root.Open(name)
	if err != nil {
		return nil, unreadable(name, err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = missing("'%s' is a folder", shorten(name))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// remove removes a file, or a folder with its content.
func (a *artifacts) remove(name string) error {
	if name == "." {
		return errPath
	}
	if _, err := a.root.Lstat(name); err != nil {
		return unreadable(name, err)
	}
	return errors.Join(a.root.RemoveAll(name), a.sync(path.Dir(name)))
}

// fileInfo is MLflow's message of that name.
type fileInfo struct {
	Path  string `json:"path"`
	IsDir bool   `json:"is_dir"`
	Size  *int64 `json:"file_size,omitempty"` // absent of a folder
}

// list lists a folder by name. A file, or a path that does not exist, has no entries.
func (a *artifacts) list(folder string) ([]fileInfo, error) {
	entries, err := fs.ReadDir(a.root.FS(), folder)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, unreadable(folder, err)
	}
	var out []fileInfo
	for _, e := range entries {
		if folder == "." && e.Name() == incoming {
			continue
		}
		i := fileInfo{Path: e.Name(), IsDir: e.IsDir()}
		if !e.IsDir() {
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // deleted meanwhile
			}
			if err != nil {
				return nil, err
			}
			size := info.Size()
			i.Size = &size
		}
		out = append(out, i)
	}
	return out, nil
}
