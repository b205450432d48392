package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/statefile"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// An evaluation that takes long has a file in the data folder for as long as it is under
// way. If it ends the process, by a stack overflow or for lack of memory, the file tells
// the next process who was evaluated on which document.

func inFlightDir(data string) string { return filepath.Join(data, "asking") }

// maxRetried bounds the evaluations of the last process that are retried.
const maxRetried = 32

// recordInFlight writes the file of an evaluation, and returns what removes it. Without
// the file, the next process only knows less.
func (r *Recovery) recordInFlight(o policy.Overrun) (remove func()) {
	raw, err := json.Marshal(o)
	if err != nil {
		return func() {}
	}
	file := filepath.Join(r.dir, strconv.FormatInt(r.serial.Add(1), 10)+".json")
	if os.MkdirAll(r.dir, 0o700) != nil || os.WriteFile(file, raw, 0o600) != nil {
		return func() {}
	}
	return func() { _ = os.Remove(file) } // a file that stays costs one retry
}

// retryInFlight repeats in a child process what was under way when the last process ended,
// and isolates what fails there too.
func (r *Recovery) retryInFlight(ctx context.Context, live *policy.Revision) error {
	files, err := statefile.List(r.dir, "*.json")
	if err != nil || len(files) == 0 {
		return err
	}
	var found []policy.Quarantined
	for _, file := range files[:min(len(files), maxRetried)] {
		var o policy.Overrun
		raw, err := os.ReadFile(file)
		if err != nil || json.Unmarshal(raw, &o) != nil || o.Revision != live.ID() {
			continue // written in part, or of policies that are gone
		}
		r.log.Warn("the last process ended while this was asked; it is tried in a child process", "asked", o.Suspects, "revision", o.Revision, "target", o.Target)
		more, err := r.judge.RehearseSuspects(ctx, live, o.Suspects, o.Input)
		if ctx.Err() != nil {
			return ctx.Err() // the next start finds out
		}
		if err != nil {
			r.log.Warn("what was asked when the last process ended can't be tried", "error", err)
		}
		found = append(found, more...)
	}
	if len(found) > 0 {
		err = r.keepQuarantine(ctx)
	}
	return errors.Join(err, os.RemoveAll(r.dir))
}
