package engine

import (
	"strings"
	"time"
)

// Note is state for the agent's next turns: what a strategy remembers, or, of an admitted
// proposal, its strategy's note or a baseline that sensors count from.
type Note struct {
	Target TargetID
	// Strategy is the strategy that left the note, "" for a baseline.
	Strategy string
	// Baseline is the name of the mark that the proposal set, "" for a strategy's note.
	Baseline string
	// Remembered is set for what a strategy remembers, made at At; a value of nil forgets it.
	Remembered bool
	// DryRun is set for a note of a dry run, made at At: an agent in mode enforce does not
	// read it.
	DryRun bool
	At     time.Time
	Value  any
}

// Keeps reports whether the note leaves what was kept before: it has no value.
func (n *Note) Keeps() bool { return n.Value == nil && !n.Remembered }

// A journal keeps a note under a key of target and text. The note of a dry run, and what is
// remembered, are in a wrapper that has their time.
const (
	baselineKey   = "mark:"
	rememberedKey = "remembered:"
	dryRunKey     = "dry-run:"
)

// Stored returns the key under which a journal keeps the note of a target, and the value.
func (n *Note) Stored() (key string, value any) {
	key, value = n.Strategy, n.Value
	switch {
	case n.Baseline != "":
		key = baselineKey + n.Baseline
	case n.Remembered:
		key = rememberedKey + n.Strategy
	}
	if n.DryRun {
		key = dryRunKey + key
	}
	if n.DryRun || n.Remembered {
		value = map[string]any{"at": n.At.UTC().Format(time.RFC3339Nano), "note": value}
	}
	return key, value
}

// StoredNote is the inverse of Note.Stored. A time that can't be read is the zero time.
func StoredNote(target TargetID, key string, value any) Note {
	n := Note{Target: target, Value: value}
	key, n.DryRun = strings.CutPrefix(key, dryRunKey)
	key, n.Remembered = strings.CutPrefix(key, rememberedKey)
	if n.DryRun || n.Remembered {
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
