// Package policysource reads the policies of a process: those that ship, or folders,
// bundles and URLs joined to one revision. It judges nothing; engine/policy does. Start
// reading at Source.
package policysource

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/policies"
)

// Source names where policies come from.
type Source struct {
	// Paths are folders, bundles, and http or https URLs of bundles, which make one
	// revision together. Without any, the policies are those that ship.
	Paths []string
	// WithoutShippedGuards leaves out the guards that ship, which otherwise bind beside
	// those of the paths.
	WithoutShippedGuards bool
	// Key verifies the signatures of the paths. Without a key file, signed policies are
	// refused.
	Key KeyFile
	// TokenFile and Every are for URLs: see source.RemoteOptions. Every URL gets the token.
	TokenFile string
	Every     time.Duration
	// Patience bounds the wait of the start for the server of a URL; 0 is its default.
	Patience time.Duration
}

// KeyFile is a file with a key for signatures; see source.ReadKey.
type KeyFile struct{ Path, Algorithm, Scope string }

// Opened is a Source with its remote bundles. Nothing is fetched before Wait.
type Opened struct {
	source  Source
	readers []source.Reader
	remotes []*source.Remote
	err     error // of the first URL that can't be used
}

// Open makes the readers of a Source. Wait and Read return what is wrong with a URL.
func (s Source) Open(clock engine.Clock, log hclog.Logger) *Opened {
	o := &Opened{source: s}
	for _, path := range s.Paths {
		if !source.IsURL(path) {
			o.readers = append(o.readers, source.FromPath(path))
			continue
		}
		remote, err := source.NewRemote(source.RemoteOptions{
			URL: path, TokenFile: s.TokenFile, Every: s.Every, Patience: s.Patience, Clock: clock, Log: log, Seed: uint64(time.Now().UnixNano()),
		})
		if err != nil {
			o.err = err
			return o
		}
		o.readers, o.remotes = append(o.readers, remote.Read), append(o.remotes, remote)
	}
	return o
}

// Wait fetches the first bundle of each URL, all in parallel, each within its patience.
func (o *Opened) Wait(ctx context.Context) error {
	if o.err != nil {
		return o.err
	}
	errs := make([]error, len(o.remotes))
	var all sync.WaitGroup
	for i, r := range o.remotes {
		all.Go(func() { errs[i] = r.Wait(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// Read reads all sources, with the newest bundles that were fetched, and adds the guards
// that ship.
func (o *Opened) Read() (source.Source, error) {
	switch {
	case o.err != nil:
		return source.Source{}, o.err
	case len(o.readers) == 0:
		return source.ReadFS(fs.FS(policies.FS))
	}
	var sources []source.Source
	var errs []error
	for _, read := range o.readers {
		src, err := read()
		sources, errs = append(sources, src), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return source.Source{}, err
	}
	if key := o.source.Key; key.Path != "" { // read each time: the file may have changed
		read, err := source.ReadKey(key.Path, key.Algorithm, key.Scope)
		if err != nil {
			return source.Source{}, err
		}
		for i := range sources {
			sources[i].Key = read
		}
	}
	if !o.source.WithoutShippedGuards {
		shipped, err := source.ReadFS(policies.FS)
		if err != nil {
			return source.Source{}, err
		}
		sources = append(sources, source.GuardsOf(shipped))
	}
	return source.Join(sources...), nil
}

// Follow has a store load changes of the policies until ctx ends. It runs one goroutine
// for each URL and one for all files, and returns when they have ended.
func (o *Opened) Follow(ctx context.Context, store *policy.Store) {
	var all sync.WaitGroup
	for _, r := range o.remotes {
		all.Go(func() { store.Poll(ctx, r) })
	}
	if files := o.source.files(); len(files) > 0 {
		all.Go(func() { store.Watch(ctx, files...) })
	}
	all.Wait()
}

// Read reads the policies once, for a command that a person waits for. It tries each
// server once.
func (s Source) Read(ctx context.Context) (source.Source, error) {
	s.Patience = time.Nanosecond
	opened := s.Open(nil, nil)
	if err := opened.Wait(ctx); err != nil {
		return source.Source{}, err
	}
	return opened.Read()
}

// files lists the paths on this machine, with that of the key.
func (s Source) files() []string {
	var out []string
	if s.Key.Path != "" {
		out = append(out, s.Key.Path)
	}
	for _, path := range s.Paths {
		if !source.IsURL(path) {
			out = append(out, path)
		}
	}
	return out
}
