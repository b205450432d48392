package manifest

import (
	"time"

	"github.com/robfig/cron/v3"
)

// wallClock has a cron expression come by the clocks of a zone, over their changes too.
//
// An expression for all hours follows real time: it comes whenever the clock shows a
// minute of it, so that an hour that the clock shows twice has its minutes twice, and
// one that it skips has none.
//
// Any other comes once at each time of a day that it names. Where the clock shows the
// time twice, it comes at the first; where the clock skips it, at the change. Several
// that are skipped together come together, as one. On a day that a zone left out
// altogether (it crossed the date line) nothing comes.
type wallClock struct {
	// times are on a clock that never changes: naive times, written in UTC.
	times *cron.SpecSchedule
	zone  *time.Location
}

// everyHour is the field of an expression for all hours.
const everyHour = 1<<24 - 1

// longestShift is more than a zone's clock is ever set back or forward, and than any
// clock differs from UTC.
const longestShift = 50 * time.Hour

// Next is the first time after another; the zero time where none comes within five years.
func (c *wallClock) Next(after time.Time) time.Time {
	if c.times.Hour&everyHour == everyHour {
		return c.nextAsTimeGoes(after)
	}
	for naive := c.times.Next(c.naive(after)); !naive.IsZero(); naive = c.times.Next(naive) {
		// The clock may have shown it before: it is set back now.
		if at, comes := c.reaches(naive); comes && at.After(after) {
			return at.In(after.Location())
		}
	}
	return time.Time{}
}

// naive is the time that the zone's clock shows.
func (c *wallClock) naive(at time.Time) time.Time {
	at = at.In(c.zone)
	_, offset := at.Zone()
	return at.Add(time.Duration(offset) * time.Second).UTC()
}

// nextAsTimeGoes looks from one change of the clock to the next, between which it runs.
func (c *wallClock) nextAsTimeGoes(after time.Time) time.Time {
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

// reaches is when the clock first shows a naive time, or has passed it by a change; false
// where it leaves out the whole day.
func (c *wallClock) reaches(naive time.Time) (time.Time, bool) {
	at := naive.Add(-longestShift).In(c.zone)
	for {
		_, offset := at.Zone()
		_, change := at.ZoneBounds()
		shows := naive.Add(-time.Duration(offset) * time.Second)
		if shows.Before(at) { // the change before passed it
			left, day := c.naive(at.Add(-time.Nanosecond)), 24*time.Hour
			return at, !left.Truncate(day).Before(naive.Truncate(day)) || !c.naive(at).Truncate(day).After(naive.Truncate(day))
		}
		if change.IsZero() || shows.Before(change) {
			return shows, true
		}
		at = change
	}
}
