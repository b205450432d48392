package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/plainfile"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/watch"
)

// ReloadStatus is how the re-reading of manifests and workloads stands.
type ReloadStatus struct {
	Last      time.Time
	Err       error // why the last change was not taken; nil if it was
	Successes int
	Failures  int
}

// reloads serialises the re-reading of manifests, workloads and policies, which
// must fit each other: a manifest may be saved together with the strategy that it
// names, in either order.
type reloads struct {
	mu sync.Mutex // one at a time
	// tried is the content of manifests and workloads that was tried last.
	tried [sha256.Size]byte
	// swapped is sent to when other policies went live.
	swapped chan struct{}

	statusMu sync.Mutex
	status   ReloadStatus
}

// Reload tells how the re-reading of manifests and workloads stands.
func (s *System) Reload() ReloadStatus {
	s.reloads.statusMu.Lock()
	defer s.reloads.statusMu.Unlock()
	return s.reloads.status
}

// paths are the manifests and the workloads.
func (s *System) paths() []string {
	return slices.Concat(s.opts.Manifests, s.opts.Workloads)
}

// watch re-reads the policies, the manifests and the workloads when they change.
func (s *System) watch(ctx context.Context) {
	s.followPolicies(ctx)
	paths := s.paths()
	s.watches.Go(func() {
		watch.Watch(ctx, watch.Options{
			Folders: func() []string { return foldersOf(paths) },
			Changed: func(ctx context.Context) { s.reread(ctx, paths, false) },
			Clock:   s.opts.Clock, Log: s.opts.Log.Named("watch"),
		})
	})
	s.watches.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.reloads.swapped:
				s.reread(ctx, paths, true)
			}
		}
	})
}

// validate judges policies that are about to go live: they must fit the agents as
// they run, or else as they are written down now, in which case those are taken up
// as soon as the policies are live.
func (s *System) validate(r *policy.Revision) error {
	running := Verify(*s.agents.Load(), r)
	if running == nil || s.cluster != nil && s.cluster.fits(r) {
		return nil
	}
	if s.cluster != nil {
		return running
	}
	written, err := manifest.Read(s.opts.Manifests, Kinds())
	if err != nil || Verify(written, r) != nil {
		return running
	}
	if _, err := Specs(written, s.surroundings()); err != nil {
		return running
	}
	return nil
}

// onSwap has the manifests read again, without waiting for it.
func (s *System) onSwap() {
	s.warnAllIdle(*s.agents.Load()...) // as they are: what is read again may be the same
	if s.host.Load() != nil || s.cluster != nil {
		s.watches.Go(s.keepGood) // this is called by one of them
	}
	select {
	case s.reloads.swapped <- struct{}{}:
	default: // it is to be read anyway
	}
}

// reread takes changed manifests and workloads if all of them are right; if any
// is not, everything runs on as it was. What was refused is tried again when other
// policies are live.
func (s *System) reread(ctx context.Context, paths []string, swapped bool) {
	s.reloads.mu.Lock()
	defer s.reloads.mu.Unlock()
	content := contentOf(paths)
	if content == s.reloads.tried && (!swapped || s.fits()) {
		return
	}
	s.reloads.tried = content
	err := s.takeUp(ctx)
	s.note(err)
	if s.Policies.Status().Err != nil {
		// Policies that did not go with the agents of before may go with these; if not,
		// the store has said why.
		_ = s.Policies.Load(ctx)
	}
}

// fits tells whether the agents that run are the ones written down, and go with
// the live policies.
func (s *System) fits() bool {
	return s.Reload().Err == nil && Verify(*s.agents.Load(), s.Policies.Live()) == nil
}

func (s *System) note(err error) {
	s.reloads.statusMu.Lock()
	defer s.reloads.statusMu.Unlock()
	st := &s.reloads.status
	st.Last, st.Err = s.opts.Clock.Now(), err
	if err != nil {
		st.Failures++
		s.opts.Log.Error("manifests refused, the old ones run on", "error", err)
		return
	}
	st.Successes++
	s.opts.Log.Info("manifests taken up", "agents", len(*s.agents.Load()))
}

// takeUp reads and judges everything before it changes anything.
func (s *System) takeUp(ctx context.Context) error {
	agents, err := manifest.Read(s.opts.Manifests, Kinds())
	var workloads orchestrator.Workloads
	if s.Local != nil {
		var workloadsErr error
		workloads, workloadsErr = orchestrator.Read(s.opts.Workloads...)
		err = errors.Join(err, workloadsErr)
	}
	if err != nil {
		return err
	}
	if err := Verify(agents, s.Policies.Live()); err != nil {
		return err
	}
	specs, err := Specs(agents, s.surroundings())
	if err != nil {
		return err
	}
	if s.Local != nil {
		if err := s.Local.Apply(ctx, workloads); err != nil {
			return err
		}
	}
	s.apply(agents, specs)
	s.warnAllIdle(agents...)
	s.keepGood()
	return nil
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
			} else {
				add(filepath.Dir(real))
			}
		}
		add(filepath.Dir(p)) // where a link is turned, or a file renamed over
	}
	return out
}

// largestFile bounds what is read of a file to find out whether it changed, in bytes: no
// reader takes a larger one.
const largestFile = 16 << 20

// contentOf is a hash over the names and contents of the files, or of why one can't be read.
func contentOf(paths []string) [sha256.Size]byte {
	h := sha256.New()
	for _, p := range paths {
		root := p
		if real, err := filepath.EvalSymlinks(p); err == nil {
			root = real // WalkDir does not follow its root
		}
		_ = filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			raw, err := plainfile.Read(name, largestFile)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			sum := sha256.Sum256(raw)
			if err != nil { // it is refused for that, until it is another
				sum = sha256.Sum256([]byte(err.Error()))
			}
			_, _ = h.Write([]byte(name))
			_, _ = h.Write([]byte{0})
			_, _ = h.Write(sum[:])
			return nil
		})
	}
	return [sha256.Size]byte(h.Sum(nil))
}
