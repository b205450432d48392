package manifest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Duration is a duration in the format of Go: "500ms", "30s", "5m", "24h".
type Duration struct{ time.Duration }

// UnmarshalText parses "30s". It rejects a negative duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil && durationForm.Match(text) {
		return mistake.Mistake{Message: quote(string(text)) + " is too long a span", Fix: "write 2562047h (292 years) or less"}
	}
	if err != nil {
		return mistake.Mistake{Message: durationForm.message + ", not " + quote(string(text))}
	}
	if v < 0 {
		return mistake.Mistake{Message: fmt.Sprintf("%q is negative", text), Fix: "write a span of 0s or more"}
	}
	d.Duration = v
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.Duration.String()), nil }

// Time is a time in the format of RFC 3339: "2026-03-01T03:00:00Z".
type Time struct{ time.Time }

// UnmarshalText parses RFC 3339.
func (t *Time) UnmarshalText(text []byte) error {
	v, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return mistake.Mistake{Message: quote(string(text)) + " is not a time", Fix: "write it like 2026-03-01T03:00:00Z or 2026-03-01T03:00:00+01:00"}
	}
	t.Time = v
	return nil
}

// Share is a part of a fleet. Either Count or Percent is set.
type Share struct {
	Count   int
	Percent float64
}

func notShare(text []byte) error {
	return mistake.Mistake{Message: quote(string(text)) + " " + shareForm.message, Fix: shareForm.fix}
}

// UnmarshalText parses "10%" or "3".
func (s *Share) UnmarshalText(text []byte) error {
	written, percent := strings.CutSuffix(string(text), "%")
	if !percent {
		n, err := strconv.Atoi(written)
		if err != nil {
			return notShare(text)
		}
		if n <= 0 {
			return mistake.Mistake{Message: quote(string(text)) + " would never allow an act", Fix: "write at least 1"}
		}
		*s = Share{Count: n}
		return nil
	}
	p, err := strconv.ParseFloat(written, 64)
	if err != nil {
		return notShare(text)
	}
	if !(p > 0 && p <= 100) { // NaN too
		return mistake.Mistake{Message: quote(string(text)) + " is out of bounds", Fix: "write more than 0% and at most 100%"}
	}
	*s = Share{Percent: p}
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (s Share) MarshalText() ([]byte, error) {
	if s.Percent != 0 {
		return []byte(strconv.FormatFloat(s.Percent, 'f', -1, 64) + "%"), nil
	}
	return []byte(strconv.Itoa(s.Count)), nil
}
