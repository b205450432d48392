package wiring

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/watch"
)

// ReloadStatus is how the re-reading of manifests and workloads stands.
type ReloadStatus struct {
	Last      time.Time
	Err       error // why the last change was not taken; nil if it was
	Successes int
	Failures  int
}

type reloadStatus struct {
	mu sync.Mutex
	ReloadStatus
	tried [sha256.Size]byte // the content that was tried last
}

// Reload tells how the re-reading of manifests and workloads stands.
func (s *System) Reload() ReloadStatus {
	s.reload.mu.Lock()
	defer s.reload.mu.Unlock()
	return s.reload.ReloadStatus
}

// watch re-reads the policies, the manifests and the workloads when they change.
func (s *System) watch(ctx context.Context) {
	if s.opts.Policies != "" {
		s.watches.Go(func() { s.Policies.Watch(ctx, s.opts.Policies) })
	}
	paths := append(append([]string{}, s.opts.Manifests...), s.opts.Workloads...)
	s.reload.tried = contentOf(paths)
	s.watches.Go(func() {
		watch.Watch(ctx, watch.Options{
			Folders: func() []string { return foldersOf(paths) },
			Changed: func(ctx context.Context) { s.reread(ctx, paths) },
			Clock:   s.opts.Clock, Log: s.opts.Log.Named("watch"),
		})
	})
}

// reread takes changed manifests and workloads if all of them are right; if any
// is not, everything runs on as it was.
func (s *System) reread(ctx context.Context, paths []string) {
	content := contentOf(paths)
	if content == s.reload.tried {
		return
	}
	s.reload.tried = content
	err := s.takeUp(ctx)
	s.reload.mu.Lock()
	defer s.reload.mu.Unlock()
	s.reload.Last, s.reload.Err = s.opts.Clock.Now(), err
	if err != nil {
		s.reload.Failures++
		s.opts.Log.Error("manifests refused, the old ones run on", "error", err)
		return
	}
	s.reload.Successes++
	s.opts.Log.Info("manifests taken up", "agents", len(*s.agents.Load()))
}

func (s *System) takeUp(ctx context.Context) error {
	agents, err := manifest.Read(s.opts.Manifests, Kinds())
	var workloads local.Workloads
	if s.Local != nil {
		var workloadsErr error
		workloads, workloadsErr = local.Read(s.opts.Workloads...)
		err = errors.Join(err, workloadsErr)
	}
	if err != nil {
		return err
	}
	if err := Verify(agents, s.Policies.Live()); err != nil {
		return err
	}
	if s.Local != nil {
		if err := s.Local.Apply(ctx, workloads); err != nil {
			return err
		}
	}
	return s.apply(agents)
}

// foldersOf are the folders that hold the files, links followed as well.
func foldersOf(paths []string) []string {
	seen := map[string]bool{}
	var out []string
	add := func(dir string) {
		if !seen[dir] {
			seen[dir] = true
			out = append(out, dir)
		}
	}
	for _, p := range paths {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			if info, err := os.Stat(real); err == nil && info.IsDir() {
				add(real)
				continue
			}
			add(filepath.Dir(real))
		}
		add(filepath.Dir(p))
	}
	return out
}

// contentOf is a hash over the names and contents of the files, as far as they can
// be read.
func contentOf(paths []string) [sha256.Size]byte {
	h := sha256.New()
	for _, p := range paths {
		_ = filepath.WalkDir(p, func(name string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			if raw, err := os.ReadFile(name); err == nil {
				_, _ = h.Write([]byte(name))
				_, _ = h.Write([]byte{0})
				sum := sha256.Sum256(raw)
				_, _ = h.Write(sum[:])
			}
			return nil
		})
	}
	return [sha256.Size]byte(h.Sum(nil))
}
