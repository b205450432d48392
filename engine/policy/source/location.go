package source

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// Location is a watched path.
type Location struct{ Path string }

// isFile reports whether the path is a file (a bundle or a key) and not a folder.
func (w *Location) isFile() bool {
	if isBundle(w.Path) {
		return true
	}
	info, err := os.Stat(w.Path)
	return err == nil && !info.IsDir()
}

// Folders returns the folders that contain the files of the policies.
func (w *Location) Folders() []string {
	if w.isFile() {
		dirs := []string{filepath.Dir(w.Path)}
		if real, err := filepath.EvalSymlinks(w.Path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
		return dirs
	}
	t := tree{seen: map[string]string{}, namesOnly: true}
	// The next load reports a folder that can't be read; the others are watched.
	_ = t.walk(w.Path, "")
	if len(t.dirs) == 0 {
		return []string{filepath.Dir(w.Path)} // it may be created again
	}
	return t.dirs
}

// Affects reports whether an event may concern the path, and not another file in its folder.
func (w *Location) Affects(e fsnotify.Event) bool {
	name := filepath.Base(e.Name)
	return !w.isFile() || isBundle(name) || name == filepath.Base(w.Path) || strings.HasPrefix(name, "..")
}
