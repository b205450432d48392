package sensors

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// maxMembers bounds the members of one target's value.
const maxMembers = 1000

// shownMembers bounds the members that a problem describes.
const shownMembers = 3

// members are the signals of the members of one target, by label value or pod.
type members map[string]engine.Signal

// signal makes one signal of all members: an object of numbers that is OK only if every
// member is. A part of the members would look like all of them: a rule that adds them up
// would read the missing ones as zero. what names the kind of members.
func (m members) signal(what string) engine.Signal {
	switch {
	case len(m) == 0:
		return engine.Signal{State: engine.Empty}
	case len(m) > maxMembers:
		return engine.Signal{State: engine.Error, Problem: fmt.Sprintf("%s has %d values, and at most %d are taken; select fewer, or aggregate them", what, len(m), maxMembers)}
	}
	out := engine.Signal{State: engine.OK}
	value := make(map[string]any, len(m))
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		s := m[name]
		if slices.Index(engine.States, s.State) > slices.Index(engine.States, out.State) {
			out.State = s.State
		}
		if s.State != engine.OK {
			if out.Missing == nil {
				out.Missing = map[string]engine.State{}
			}
			out.Missing[name] = s.State
			problems = append(problems, fmt.Sprintf("%s: %s: %s", name, s.State, s.Why()))
			continue
		}
		value[name] = s.Value
		if out.At.IsZero() || s.At.Before(out.At) {
			out.At = s.At // as old as its oldest member
		}
		out.Window = max(out.Window, s.Window)
	}
	if out.State == engine.OK {
		out.Value = value
		return out
	}
	out.At, out.Window = time.Time{}, 0
	out.Problem = fmt.Sprintf("%s: %d of %d have no value: %s", what, len(problems), len(m), shown(problems, "; "))
	return out
}

// shown joins the first texts of a list, and says how many more there are.
func shown(list []string, between string) string {
	text := strings.Join(list[:min(len(list), shownMembers)], between)
	if more := len(list) - shownMembers; more > 0 {
		text += fmt.Sprintf("%sand %d more", between, more)
	}
	return text
}

// memberMemory remembers which members were there within staleAfter. One that is gone since
// then makes the signal Stale, as a whole signal that is gone does. Only a process that has
// sampled before knows of it.
type memberMemory struct {
	staleAfter time.Duration // 0 disables it

	mu   sync.Mutex
	seen map[engine.TargetID]map[string]time.Time
}

// markGone marks OK signals whose members were there a moment ago and are gone.
func (m *memberMemory) markGone(at time.Time, fleet []engine.Target, out engine.Reading) {
	if m.staleAfter == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	next := make(map[engine.TargetID]map[string]time.Time, len(fleet))
	for i := range out {
		id := fleet[i].ID()
		seen := make(map[string]time.Time)
		for name, when := range m.seen[id] {
			if age := at.Sub(when); age >= 0 && age <= m.staleAfter {
				seen[name] = when
			}
		}
		next[id] = seen
		value, is := out[i].Value.(map[string]any)
		if !is {
			continue
		}
		gone := map[string]engine.State{}
		for name := range seen {
			if _, there := value[name]; !there {
				gone[name] = engine.Stale
			}
		}
		for name := range value {
			seen[name] = at
		}
		if len(gone) > 0 {
			names := slices.Sorted(maps.Keys(gone))
			out[i] = engine.Signal{State: engine.Stale, Missing: gone, Problem: "values that were there a moment ago are gone: " + shown(names, ", ")}
		}
	}
	m.seen = next
}
