package server

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// other stands for the values of a label that get no series of their own.
const other = "other"

// labelMost is how long the value of a label may be, in bytes.
const labelMost = 256

// labels bounds the values of each label: those that come first have series of their
// own, and all that come when there are so many are "other". What a policy made up never
// gets here: it is told by how the engine refused it (metrics.go).
type labels struct {
	mu   sync.Mutex
	seen map[string]map[string]bool
}

// valuesMost is how many values a label has at most, "other" apart.
var valuesMost = map[string]int{"agent": 5000, "strategy": 500, "primitive": 100, "by": 200, "trigger": 20, "outcome": 20, "verdict": 20, "method": 20}

func newLabels() *labels { return &labels{seen: map[string]map[string]bool{}} }

// value is what a label says of a value.
func (l *labels) value(label, value string) string {
	if len(value) > labelMost || !utf8.ValidString(value) { // Prometheus takes no other text
		return other
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := l.seen[label]
	switch {
	case seen[value]:
		return value
	case len(seen) >= valuesMost[label]:
		return other
	case seen == nil:
		seen = map[string]bool{}
		l.seen[label] = seen
	}
	seen[value] = true
	return value
}

// forget gives the room of a value that is no more to others.
func (l *labels) forget(label, value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.seen[label], value)
}

// refusedBy is who refused, as a label: a guard in Rego by its name, which comes from
// the policies, and else a word of the engine.
func (m *Metrics) refusedBy(by string) string {
	if strings.HasPrefix(by, "policy:") {
		return m.labels.value("by", by)
	}
	return by
}
