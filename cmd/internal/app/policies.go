package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/policies"
)

// PolicySource says where policies come from.
type PolicySource struct {
	// Paths are folders, bundles, and http or https URLs of bundles, which make one
	// revision together; none is the policies that ship.
	Paths []string
	// WithoutShippedGuards has the guards of the paths bind alone; else those that ship
	// bind too.
	WithoutShippedGuards bool
	// Key is what the signatures of the paths are held against; without a file, what is
	// signed is refused.
	Key KeyFile
	// TokenFile and Every are for URLs: see source.RemoteOptions. The token is shown to
	// each of them.
	TokenFile string
	Every     time.Duration
	// Patience is how long a URL's server is waited for at the start; 0 is its default.
	Patience time.Duration
}

// KeyFile is a file with a key for signatures; see source.ReadKey.
type KeyFile struct{ Path, Algorithm, Scope string }

// Reader reads the policies. URLs are fetched here: their servers are waited for, and their
// bundles are what the reader returns until the remotes have fetched others. The reader
// is there whatever the error.
func (p PolicySource) Reader(ctx context.Context, clock engine.Clock, log hclog.Logger) (source.Reader, []*source.Remote, error) {
	if len(p.Paths) == 0 {
		return source.FromFS(fs.FS(policies.FS)), nil, nil
	}
	var readers []source.Reader
	var remotes []*source.Remote
	for _, path := range p.Paths {
		if !source.IsURL(path) {
			readers = append(readers, source.FromPath(path))
			continue
		}
		remote, err := source.NewRemote(source.RemoteOptions{
			URL: path, TokenFile: p.TokenFile, Every: p.Every, Patience: p.Patience, Clock: clock, Log: log, Seed: uint64(time.Now().UnixNano()),
		})
		if err != nil {
			return func() (source.Source, error) { return source.Source{}, err }, nil, err
		}
		readers, remotes = append(readers, remote.Read), append(remotes, remote)
	}
	return func() (source.Source, error) { return p.join(readers) }, remotes, waitAll(ctx, remotes)
}

// waitAll waits for the first bundle of each URL, for all at a time.
func waitAll(ctx context.Context, remotes []*source.Remote) error {
	errs := make([]error, len(remotes))
	var all sync.WaitGroup
	for i, r := range remotes {
		all.Go(func() { errs[i] = r.Wait(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// join reads all sources, and adds the guards that ship.
func (p PolicySource) join(readers []source.Reader) (source.Source, error) {
	var sources []source.Source
	var errs []error
	for _, read := range readers {
		src, err := read()
		sources, errs = append(sources, src), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return source.Source{}, err
	}
	if p.Key.Path != "" { // read each time: another may be in it
		key, err := source.ReadKey(p.Key.Path, p.Key.Algorithm, p.Key.Scope)
		if err != nil {
			return source.Source{}, err
		}
		for i := range sources {
			sources[i].Key = key
		}
	}
	if !p.WithoutShippedGuards {
		shipped, err := source.ReadFS(policies.FS)
		if err != nil {
			return source.Source{}, err
		}
		sources = append(sources, source.GuardsOf(shipped))
	}
	return source.Join(sources...), nil
}

// Read reads the policies once, for somebody who waits: a server that is away is not
// waited for.
func (p PolicySource) Read(ctx context.Context) (source.Source, error) {
	p.Patience = time.Nanosecond
	read, _, err := p.Reader(ctx, nil, nil)
	if err != nil {
		return source.Source{}, err
	}
	return read()
}

// loadPolicies makes the store and its first revision.
func (s *System) loadPolicies(ctx context.Context) error {
	log := s.opts.Log.Named("policy")
	read, remotes, waited := s.opts.Policies.Reader(ctx, s.opts.Clock, log)
	s.remotes = remotes
	options := policy.Options{Quarantine: s.quarantine}
	if s.opts.Judge != nil {
		s.policyJudge = policy.NewJudge(policy.JudgeOptions{Options: options, Command: s.opts.Judge, Log: log})
		options.OnOverrun, options.OnSlow = s.overran, s.noteAsked
	}
	s.Policies = policy.NewStore(read, policy.StoreOptions{
		Options: options, Judge: s.policyJudge, Trial: s.trial, Clock: s.opts.Clock, Log: log, Validate: s.validate, OnSwap: s.onSwap,
	})
	if waited != nil {
		return fmt.Errorf("load policies: %w", waited)
	}
	return s.Policies.Load(ctx)
}

// followPolicies takes up changes of the policies until the context ends.
func (s *System) followPolicies(ctx context.Context) {
	for _, r := range s.remotes {
		s.watches.Go(func() { s.Policies.Poll(ctx, r) })
	}
	if files := s.opts.Policies.files(); len(files) > 0 {
		s.watches.Go(func() { s.Policies.Watch(ctx, files...) })
	}
}

// files are the paths that are on this machine, that of the key too.
func (p PolicySource) files() []string {
	var out []string
	if p.Key.Path != "" {
		out = append(out, p.Key.Path)
	}
	for _, path := range p.Paths {
		if !source.IsURL(path) {
			out = append(out, path)
		}
	}
	return out
}
