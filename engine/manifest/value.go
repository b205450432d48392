package manifest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a span of time as Go writes it: "500ms", "30s", "5m", "24h".
type Duration struct{ time.Duration }

// UnmarshalText reads "30s". A negative span is refused.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%s is not a duration; write it like 500ms, 30s, 5m or 24h", quote(string(text)))
	}
	if v < 0 {
		return fmt.Errorf("%q is negative; write a span of 0s or more", text)
	}
	d.Duration = v
	return nil
}

// MarshalText writes it back.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.Duration.String()), nil }

// Time is a moment, written as RFC 3339 has it: "2026-03-01T03:00:00Z".
type Time struct{ time.Time }

// UnmarshalText reads RFC 3339.
func (t *Time) UnmarshalText(text []byte) error {
	v, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("%s is not a time; write it like 2026-03-01T03:00:00Z or 2026-03-01T03:00:00+01:00", quote(string(text)))
	}
	t.Time = v
	return nil
}

// Share is a part of a fleet: a number of targets or a percentage. One of the two is set.
type Share struct {
	Count   int
	Percent float64
}

var errShare = errors.New("is not a part of a fleet; write a number of targets like 3, or a percentage like 10%")

// UnmarshalText reads "10%" or "3".
func (s *Share) UnmarshalText(text []byte) error {
	written, percent := strings.CutSuffix(string(text), "%")
	if !percent {
		n, err := strconv.Atoi(written)
		if err != nil {
			return fmt.Errorf("%s %w", quote(string(text)), errShare)
		}
		if n <= 0 {
			return fmt.Errorf("%s would never allow an act; write at least 1", quote(string(text)))
		}
		*s = Share{Count: n}
		return nil
	}
	p, err := strconv.ParseFloat(written, 64)
	if err != nil {
		return fmt.Errorf("%s %w", quote(string(text)), errShare)
	}
	if !(p > 0 && p <= 100) { // NaN too
		return fmt.Errorf("%s is out of bounds; write more than 0%% and at most 100%%", quote(string(text)))
	}
	*s = Share{Percent: p}
	return nil
}

// MarshalText writes it back.
func (s Share) MarshalText() ([]byte, error) {
	if s.Percent != 0 {
		return []byte(strconv.FormatFloat(s.Percent, 'f', -1, 64) + "%"), nil
	}
	return []byte(strconv.Itoa(s.Count)), nil
}
