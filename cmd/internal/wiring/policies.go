package wiring

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/policies"
)

// PolicySource says where policies come from.
type PolicySource struct {
	// Path is a folder, a bundle, or the http or https URL of one; "" is the ones that
	// ship.
	Path string
	// TokenFile and Every are for a URL: see policy.RemoteOptions.
	TokenFile string
	Every     time.Duration
	// Patience is how long a URL's server is waited for at the start; 0 is its default.
	Patience time.Duration
}

// Reader reads the policies. A URL is fetched here: its server is waited for, and its
// bundle is what the reader returns until the Remote has fetched another. The Remote is
// nil where they are not behind a URL. The reader is there whatever the error.
func (p PolicySource) Reader(ctx context.Context, clock engine.Clock, log hclog.Logger) (policy.Reader, *policy.Remote, error) {
	if !policy.IsURL(p.Path) {
		return PolicyReader(p.Path), nil, nil
	}
	remote, err := policy.NewRemote(policy.RemoteOptions{
		URL: p.Path, TokenFile: p.TokenFile, Every: p.Every, Patience: p.Patience, Clock: clock, Log: log, Seed: uint64(time.Now().UnixNano()),
	})
	if err != nil {
		return func() (policy.Source, error) { return policy.Source{}, err }, nil, err
	}
	return remote.Read, remote, remote.Wait(ctx)
}

// Read reads the policies once, for somebody who waits: a server that is away is not
// waited for.
func (p PolicySource) Read(ctx context.Context) (policy.Source, error) {
	p.Patience = time.Nanosecond
	read, _, err := p.Reader(ctx, nil, nil)
	if err != nil {
		return policy.Source{}, err
	}
	return read()
}

// PolicyReader reads policies from a folder or a bundle, or those that ship.
func PolicyReader(path string) policy.Reader {
	if path == "" {
		return policy.FromFS(fs.FS(policies.FS))
	}
	return policy.FromPath(path)
}

// loadPolicies makes the store and its first revision.
func (s *System) loadPolicies(ctx context.Context) error {
	log := s.opts.Log.Named("policy")
	read, remote, waited := s.opts.Policies.Reader(ctx, s.opts.Clock, log)
	s.remote = remote
	options := policy.Options{Quarantine: s.quarantine}
	if s.opts.Judge != nil {
		s.policyJudge = policy.NewJudge(policy.JudgeOptions{Options: options, Command: s.opts.Judge, Log: log})
		options.Overran, options.Note = s.overran, s.noteAsked
	}
	s.Policies = policy.NewStore(read, policy.StoreOptions{
		Options: options, Judge: s.policyJudge, Trial: s.trial, Clock: s.opts.Clock, Log: log, Validate: s.validate, Swapped: s.onSwap,
	})
	if waited != nil {
		return fmt.Errorf("load policies: %w", waited)
	}
	return s.Policies.Load(ctx)
}

// followPolicies takes up changes of the policies until the context ends.
func (s *System) followPolicies(ctx context.Context) {
	switch {
	case s.remote != nil:
		s.watches.Go(func() { s.Policies.Poll(ctx, s.remote) })
	case s.opts.Policies.Path != "":
		s.watches.Go(func() { s.Policies.Watch(ctx, s.opts.Policies.Path) })
	}
}
