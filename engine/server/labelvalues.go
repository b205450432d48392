package server

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// otherValue replaces the values of a label beyond the limit.
const otherValue = "other"

// maxLabelBytes bounds the length of a label's value.
const maxLabelBytes = 256

// labelValues bounds the values of each label: the first ones get their own series, later ones
// become "other". Text that a policy made up never gets here: the engine's reason for refusing
// it is the value (observe.go).
type labelValues struct {
	mu   sync.Mutex
	seen map[string]map[string]bool
}

// maxLabelValues bounds the values of each label, except for "other".
var maxLabelValues = map[string]int{"agent": 5000, "signal": 1000, "strategy": 500, "primitive": 100, "by": 200, "trigger": 20, "outcome": 20, "verdict": 20, "method": 20}

func newLabelValues() *labelValues { return &labelValues{seen: map[string]map[string]bool{}} }

// bounded returns the value to use for a label.
func (l *labelValues) bounded(label, value string) string {
	if len(value) > maxLabelBytes || !utf8.ValidString(value) { // Prometheus only accepts UTF-8
		return otherValue
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := l.seen[label]
	switch {
	case seen[value]:
		return value
	case len(seen) >= maxLabelValues[label]:
		return otherValue
	case seen == nil:
		seen = map[string]bool{}
		l.seen[label] = seen
	}
	seen[value] = true
	return value
}

// forget makes room for another value.
func (l *labelValues) forget(label, value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.seen[label], value)
}

// refusedBy returns who refused as a label: the name of a Rego guard, which comes from the
// policies, or a constant of the engine.
func (m *Metrics) refusedBy(by string) string {
	if strings.HasPrefix(by, "policy:") {
		return m.labels.bounded("by", by)
	}
	return by
}
