package main

import (
	"regexp"
	"time"

	"github.com/spf13/cobra"
)

// screenZone is the time zone of what a command prints for a person: this machine's, or
// UTC with --utc. JSON has RFC 3339.
type screenZone struct{ utc bool }

func (z *screenZone) add(c *cobra.Command) {
	c.Flags().BoolVar(&z.utc, "utc", false, "print times in UTC; absent: in this machine's zone, or that of $TZ")
}

func (z screenZone) location() *time.Location {
	if z.utc {
		return time.UTC
	}
	return time.Local
}

// name is the abbreviation of the zone, as of now: UTC, CET or +03.
func (z screenZone) name() string { return time.Now().In(z.location()).Format("MST") }

// head is a column's header with the zone: "since (UTC)".
func (z screenZone) head(what string) string { return what + " (" + z.name() + ")" }

// The layouts of times on a screen.
const (
	stampLayout  = "2006-01-02 15:04:05"
	milliLayout  = "2006-01-02 15:04:05.000"
	dayLayout    = "01-02 15:04:05" // without the year: a journal keeps days
	secondLayout = "15:04:05"
)

// format formats a time in the zone; "-" for the zero time.
func (z screenZone) format(t time.Time, layout string) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(z.location()).Format(layout)
}

// stamp formats a time without naming the zone, for a column whose header does.
func (z screenZone) stamp(t time.Time) string { return z.format(t, stampLayout) }

// brief formats a time without naming the zone, and without the date if it is today.
func (z screenZone) brief(t, now time.Time) string {
	if z.format(t, time.DateOnly) == z.format(now, time.DateOnly) {
		return z.format(t, secondLayout)
	}
	return z.format(t, dayLayout)
}

// full formats a time with the zone, for a line of text.
func (z screenZone) full(t time.Time) string { return z.format(t, stampLayout+" MST") }

// stampsInUTC are the times in a sentence of the engine.
var stampsInUTC = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z\b`)

// text rewrites the times in a sentence of the engine, which are in UTC, in the zone. Near
// is the time of the line: the date is left out if it is the same day.
func (z screenZone) text(sentence string, near time.Time) string {
	return stampsInUTC.ReplaceAllStringFunc(sentence, func(stamp string) string {
		t, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil {
			return stamp
		}
		if z.format(t, time.DateOnly) == z.format(near, time.DateOnly) {
			return z.format(t, secondLayout)
		}
		return z.stamp(t)
	})
}
