package app

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/scanflow-k8s/scanflow/actuators/local"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// While a process runs, its data folder has a copy of the policies, manifests and workloads
// that it runs on. An end in order removes it. So a process that begins after any other end
// can go on with them, should what is written down be refused by then: nobody is there to
// tell at that hour, and the other agents must not stand still.
const (
	goodPolicies  = "policies"
	goodManifests = "manifests"
	goodWorkloads = "workloads"
)

// goodDir is where the copy lies.
func (s *System) goodDir() string { return filepath.Join(s.opts.Data, "lastgood") }

// keepGood copies what the process runs on, now that all of it was taken.
func (s *System) keepGood() {
	if s.policyJudge == nil {
		return
	}
	s.goodMu.Lock()
	defer s.goodMu.Unlock()
	if err := s.copyGood(); err != nil {
		s.opts.Log.Warn("no copy is kept of what this process runs on; after an end that is not in order, what is written down must be right", "error", err)
	}
}

func (s *System) copyGood() error {
	fresh := s.goodDir() + ".new"
	if err := errors.Join(os.RemoveAll(fresh), os.MkdirAll(fresh, 0o700)); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(fresh, goodPolicies), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(gob.NewEncoder(f).Encode(s.Policies.Live().Source().AsTaken()), f.Close()); err != nil {
		return err
	}
	if s.cluster == nil {
		if err := errors.Join(copyAll(s.opts.Manifests, filepath.Join(fresh, goodManifests)), copyAll(s.opts.Workloads, filepath.Join(fresh, goodWorkloads))); err != nil {
			return err
		}
	}
	return errors.Join(os.RemoveAll(s.goodDir()), os.Rename(fresh, s.goodDir()))
}

// copyAll copies files and folders, each into a folder named by its place.
func copyAll(paths []string, to string) error {
	for i, p := range paths {
		real, err := filepath.EvalSymlinks(p)
		if err != nil {
			return err
		}
		err = filepath.WalkDir(real, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := os.Stat(name)
			if err != nil || !info.Mode().IsRegular() {
				return nil // gone since, or nothing that is read
			}
			rel, err := filepath.Rel(real, name)
			if err != nil {
				return err
			}
			if rel == "." {
				rel = filepath.Base(p) // a file, by the name that was given
			}
			raw, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			file := filepath.Join(to, strconv.Itoa(i), rel)
			return errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, raw, 0o600))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// forgetGood removes the copy, at an end in order.
func (s *System) forgetGood() {
	select {
	case <-s.overrun: // the process begins anew
	default:
		s.goodMu.Lock()
		defer s.goodMu.Unlock()
		_ = os.RemoveAll(s.goodDir()) // one that stays is used only where the next start is refused
	}
}

// goodSource are the policies of the last process, where that did not end in order.
func (s *System) goodSource() (src source.Source, err error) {
	f, err := os.Open(filepath.Join(s.goodDir(), goodPolicies))
	if err != nil {
		return src, err
	}
	defer func() { _ = f.Close() }() // only read from
	err = gob.NewDecoder(f).Decode(&src)
	return src, err
}

// goOn starts from what the last process ran on, where that did not end in order, and what
// is written down by now is refused. The error is the refusal where there is nothing to go
// on with.
func (s *System) goOn(ctx context.Context, refused error) ([]*manifest.Agent, local.Workloads, error) {
	if ctx.Err() != nil || s.policyJudge == nil {
		return nil, local.Workloads{}, refused
	}
	src, err := s.goodSource()
	if err != nil { // none is there, mostly
		return nil, local.Workloads{}, refused
	}
	agents, workloads := []*manifest.Agent{}, local.Workloads{}
	if s.opts.Kubernetes == nil {
		if agents, err = manifest.Read(under(s.goodDir(), goodManifests, len(s.opts.Manifests)), Kinds()); err == nil && len(s.opts.Workloads) > 0 {
			workloads, err = local.Read(under(s.goodDir(), goodWorkloads, len(s.opts.Workloads))...)
		}
	}
	if err != nil {
		return nil, workloads, errors.Join(refused, fmt.Errorf("go on with what the last process ran on: %w", err))
	}
	s.agents.Store(&agents)
	if err := s.Policies.LoadFallback(ctx, src, refused); err != nil {
		return nil, workloads, errors.Join(refused, fmt.Errorf("go on with what the last process ran on: %w", err))
	}
	s.reloads.tried = [len(s.reloads.tried)]byte{} // what is written down is tried again, and said to be refused
	s.opts.Log.Error("what is written down is refused; this process goes on with what the last one ran on, which did not end in order", "error", refused)
	return agents, workloads, nil
}

func under(dir, what string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = filepath.Join(dir, what, strconv.Itoa(i))
	}
	return out
}
