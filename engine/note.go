package engine

import (
	"strings"
	"time"
)

// Note is state that an admitted proposal saves for the agent's next turns: a strategy's note,
// or a baseline that sensors count from.
type Note struct {
	Target TargetID
	// Strategy is the strategy that left the note, "" for a baseline.
	Strategy string
	// Baseline is the name of the mark that the proposal set, "" for a strategy's note.
	Baseline string
	// DryRun is set for a note of a dry run, made at At: an agent in mode enforce does not
	// read it.
	DryRun bool
	At     time.Time
	Value  any
}

// A journal keeps a note under a key of target and text, and the note of a dry run in a
// wrapper that has its time.
const (
	baselineKey = "mark:"
	dryRunKey   = "dry-run:"
)

// Stored returns the key under which a journal keeps the note of a target, and the value.
func (n *Note) Stored() (key string, value any) {
	key, value = n.Strategy, n.Value
	if n.Baseline != "" {
		key = baselineKey + n.Baseline
	}
	if n.DryRun {
		return dryRunKey + key, map[string]any{"at": n.At.UTC().Format(time.RFC3339Nano), "note": value}
	}
	return key, value
}

// StoredNote is the inverse of Note.Stored. A dry run's note whose time can't be read has
// the zero time.
func StoredNote(target TargetID, key string, value any) Note {
	n := Note{Target: target, Value: value}
	if key, n.DryRun = strings.CutPrefix(key, dryRunKey); n.DryRun {
		written, _ := value.(map[string]any)
		at, _ := written["at"].(string)
		n.At, _ = time.Parse(time.RFC3339Nano, at)
		n.Value = written["note"]
	}
	name, is := strings.CutPrefix(key, baselineKey)
	if is {
		n.Baseline = name
	} else {
		n.Strategy = key
	}
	return n
}
