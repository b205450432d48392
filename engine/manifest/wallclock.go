package manifest

import (
	"time"

	"github.com/robfig/cron/v3"
)

// wallClock evaluates a cron expression on the local time of a zone, across changes of its
// offset (daylight saving).
//
// An expression for all hours fires whenever the clock shows one of its minutes: twice in an
// hour that the clock repeats, and never in one that it skips.
//
// Any other expression fires once for each of its times. If the clock repeats the time, it
// fires at the first; if the clock skips it, at the change. Several times that one change
// skips fire once. On a day that the zone skips (it crossed the date line) nothing fires.
type wallClock struct {
	// times yields naive times: local times without a zone, represented in UTC.
	times *cron.SpecSchedule
	zone  *time.Location
}

// everyHour is the hour field, a bit set, of an expression for all hours.
const everyHour = 1<<24 - 1

// maxShift is more than any offset from UTC and any change of an offset.
const maxShift = 50 * time.Hour

// Next is the first time after another, or the zero time if there is none within five years.
func (c *wallClock) Next(after time.Time) time.Time {
	if c.times.Hour&everyHour == everyHour {
		return c.nextHourly(after)
	}
	for naive := c.times.Next(c.naive(after)); !naive.IsZero(); naive = c.times.Next(naive) {
		// After the clock was set back, the first occurrence may be in the past.
		if at, comes := c.firstShown(naive); comes && at.After(after) {
			return at.In(after.Location())
		}
	}
	return time.Time{}
}

// naive is the local time of the zone, without the zone.
func (c *wallClock) naive(at time.Time) time.Time {
	at = at.In(c.zone)
	_, offset := at.Zone()
	return at.Add(time.Duration(offset) * time.Second).UTC()
}

// nextHourly is Next for an expression for all hours. It searches between one change of the
// offset and the next, where local time is continuous.
func (c *wallClock) nextHourly(after time.Time) time.Time {
	for at := after.In(c.zone); ; {
		_, offset := at.Zone()
		_, change := at.ZoneBounds()
		naive := c.times.Next(c.naive(at))
		if naive.IsZero() {
			return naive
		}
		next := naive.Add(-time.Duration(offset) * time.Second)
		if change.IsZero() || next.Before(change) {
			return next.In(after.Location())
		}
		at = change
		if shown := c.naive(change); c.times.Next(shown.Add(-time.Second)).Equal(shown) {
			return change.In(after.Location())
		}
	}
}

// firstShown returns the first instant at which the clock shows a naive time, or the change
// that skips it. It reports false if the zone skips the whole day.
func (c *wallClock) firstShown(naive time.Time) (time.Time, bool) {
	at := naive.Add(-maxShift).In(c.zone)
	for {
		_, offset := at.Zone()
		_, change := at.ZoneBounds()
		shows := naive.Add(-time.Duration(offset) * time.Second)
		if shows.Before(at) { // the previous change skipped it
			left, day := c.naive(at.Add(-time.Nanosecond)), 24*time.Hour
			return at, !left.Truncate(day).Before(naive.Truncate(day)) || !c.naive(at).Truncate(day).After(naive.Truncate(day))
		}
		if change.IsZero() || shows.Before(change) {
			return shows, true
		}
		at = change
	}
}
