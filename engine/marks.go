package engine

import (
	"strings"
	"time"
)

// A sensor that counts samples a total that only grows; its signal is by how much
// that grew since a mark. A proposal sets marks, once it is admitted, to the totals
// that its own document was made from: what came meanwhile counts from then on, and
// nothing is counted twice or left out. Marks are kept as notes are, by the name of
// the mark in place of a strategy's, and so survive a restart.
const markPrefix = "mark:"

// mark is where counting began: the totals of then, by sensor.
type mark struct {
	at     time.Time
	totals map[string]float64
}

// total is what a sensor that counts sampled for one target.
type total struct {
	value float64
	known bool // sampled, and a number
	// lost is by how much the total fell since the mark was set, and was not less for it:
	// all that a counter had come to that began anew, as of a pod that was replaced, and
	// what was deleted of a sum. A restart of this process forgets it.
	lost float64
}

// count turns a sampled total into what it grew by since the mark; all of it where
// the mark was never set.
func (t *total) count(s Signal, since mark, sensor string, counter bool) Signal {
	s.Since = since.at
	if s.State != OK {
		t.known = false
		return s
	}
	now, isNumber := s.Value.(float64)
	if !isNumber {
		t.known = false
		return Signal{State: Error, Since: since.at, Problem: "is no number, and only a number can be counted since a mark"}
	}
	if hasNaN(now) { // the judge says so
		t.known = false
		return s
	}
	base := since.totals[sensor]
	switch {
	case now < t.value && counter:
		t.lost += t.value
	case now < t.value:
		t.lost += t.value - now
	case now+t.lost < base && counter: // it began anew while nobody looked
		t.lost = base
	case now+t.lost < base:
		t.lost = base - now
	}
	t.value, t.known = now, true
	s.Value = now + t.lost - base
	return s
}

// markOf is a target's mark, the zero mark if it was never set.
func (a *agent) markOf(id TargetID, name string) mark {
	a.mu.Lock()
	defer a.mu.Unlock()
	if m := a.memories[id]; m != nil {
		return m.marks[name]
	}
	return mark{}
}

// marking is the note that sets a mark to what the sensors that count from it had
// sampled. A sensor that had nothing goes on from where it was.
func (a *agent) marking(s *slot, name string) Note {
	before := a.markOf(s.doc.Target.ID(), name)
	totals := map[string]any{}
	for j := range a.spec.Sensors {
		if a.spec.Sensors[j].Since != name {
			continue
		}
		switch sensor := a.names[j]; {
		case s.totals[j].known:
			totals[sensor] = s.totals[j].value
		case before.totals != nil:
			totals[sensor] = before.totals[sensor]
		}
	}
	return Note{Target: s.doc.Target.ID(), Strategy: markPrefix + name, Value: map[string]any{"at": s.doc.Now.UTC().Format(time.RFC3339Nano), "totals": totals}}
}

// marked has the counting begin anew, once the mark is kept.
func (a *agent) marked(n Note) {
	name, is := strings.CutPrefix(n.Strategy, markPrefix)
	s := a.slots[n.Target]
	if !is || s == nil {
		return
	}
	for j := range a.spec.Sensors {
		if a.spec.Sensors[j].Since == name && s.totals[j].known {
			s.totals[j].lost = 0
		}
	}
}

// keep takes in a note, or a mark.
func (m *memory) keep(n Note) {
	name, is := strings.CutPrefix(n.Strategy, markPrefix)
	if !is {
		m.note(n.Strategy, n.Value)
		return
	}
	if m.marks == nil {
		m.marks = map[string]mark{}
	}
	m.marks[name] = readMark(n.Value)
}

// readMark reads a mark as marking wrote it.
func readMark(value any) mark {
	written, _ := value.(map[string]any)
	at, _ := written["at"].(string)
	set := mark{totals: map[string]float64{}}
	set.at, _ = time.Parse(time.RFC3339Nano, at)
	totals, _ := written["totals"].(map[string]any)
	for sensor, v := range totals {
		set.totals[sensor], _ = v.(float64)
	}
	return set
}
