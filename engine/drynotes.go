package engine

import (
	"strings"
	"time"
)

// dryPrefix is in the names under which the notes and marks of a dry run are kept: the
// agent in earnest must not go on from what was never done.
const dryPrefix = "dry-run:"

// dryNotes are notes as those of a dry run are kept, with when they were made.
func dryNotes(notes []Note, at time.Time) []Note {
	var out []Note
	for _, n := range notes {
		out = append(out, Note{n.Target, dryPrefix + n.Strategy, map[string]any{"at": at.UTC().Format(time.RFC3339Nano), "note": n.Value}})
	}
	return out
}

// noteName is one note of an agent.
type noteName struct {
	target TargetID
	name   string
}

// notesFor are the notes that an agent goes on from: in earnest its own; in a dry run
// its own too, and over them those of the dry run that are newer.
func notesFor(dry bool, r Recollection) []Note {
	var out, over []Note
	for _, n := range r.Notes {
		if strings.HasPrefix(n.Strategy, dryPrefix) {
			over = append(over, n)
		} else {
			out = append(out, n)
		}
	}
	if !dry || len(over) == 0 {
		return out
	}
	earnest := lastEarnest(r.Acts, out)
	for _, n := range over {
		written, _ := n.Value.(map[string]any)
		text, _ := written["at"].(string)
		at, err := time.Parse(time.RFC3339Nano, text)
		n.Strategy, n.Value = strings.TrimPrefix(n.Strategy, dryPrefix), written["note"]
		if err == nil && !earnest[noteName{n.Target, n.Strategy}].After(at) {
			out = append(out, n)
		}
	}
	return out
}

// lastEarnest is when the agent in earnest may have made each note last: a mark says
// when it was set, and a note comes with an act of its strategy.
func lastEarnest(acts []Act, notes []Note) map[noteName]time.Time {
	out := map[noteName]time.Time{}
	for _, act := range acts {
		if k := (noteName{act.Target, act.Strategy}); !act.DryRun && act.At.After(out[k]) {
			out[k] = act.At
		}
	}
	for _, n := range notes {
		if strings.HasPrefix(n.Strategy, markPrefix) {
			out[noteName{n.Target, n.Strategy}] = readMark(n.Value).at
		}
	}
	return out
}
