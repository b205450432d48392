package app

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// An evaluation that takes long is written down in the data folder for as long as it is
// under way. So one that ends the process, by a stack that overflows or for want of memory,
// is known to the next, with what it was asked about: by then a signal may be another.

// askingDir is where that is.
func (s *System) askingDir() string { return filepath.Join(s.opts.Data, "asking") }

// noteAsked writes down who is asked about what, until the note is taken back. Without it,
// the next life knows less.
func (s *System) noteAsked(o policy.Overrun) (takeBack func()) {
	raw, err := json.Marshal(o)
	if err != nil {
		return func() {}
	}
	file := filepath.Join(s.askingDir(), strconv.FormatInt(s.asking.Add(1), 10)+".json")
	if os.MkdirAll(s.askingDir(), 0o700) != nil || os.WriteFile(file, raw, 0o600) != nil {
		return func() {}
	}
	return func() { _ = os.Remove(file) } // one that stays is tried in vain
}

// askedMost is how many of them are tried.
const askedMost = 32

// settleAsked tries in a child process what was under way when the last process ended,
// and isolates what does not come back there.
func (s *System) settleAsked(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(s.askingDir(), "*.json"))
	if err != nil || len(files) == 0 {
		return err
	}
	var found []policy.Quarantined
	rev := s.Policies.Live()
	for _, file := range files[:min(len(files), askedMost)] {
		var o policy.Overrun
		raw, err := os.ReadFile(file)
		if err != nil || json.Unmarshal(raw, &o) != nil || o.Revision != rev.ID() {
			continue // cut off as it was written, or of policies that are gone
		}
		s.opts.Log.Warn("the last process ended while this was asked; it is tried in a child process", "asked", o.Suspects, "revision", o.Revision, "target", o.Target)
		more, err := s.policyJudge.RehearseSuspects(ctx, rev, o.Suspects, o.Input)
		if ctx.Err() != nil {
			return ctx.Err() // the next start finds out
		}
		if err != nil {
			s.opts.Log.Warn("what was asked when the last process ended can't be tried", "error", err)
		}
		found = append(found, more...)
	}
	if len(found) > 0 {
		err = s.keepQuarantine(ctx)
	}
	return errors.Join(err, os.RemoveAll(s.askingDir()))
}
