package engine

import (
	"fmt"
	"time"
)

// AlertStatus is the state of an alert, as an event reports it.
type AlertStatus struct {
	// Name identifies the alert at its source: the fingerprint of its labels.
	Name     string
	Resolved bool
	// Starts is the beginning of the alert, and Ends its end if it is resolved.
	Starts, Ends time.Time
}

// AlertMemory is the last reported state of an alert. It distinguishes a repeat from an
// alert that fires again with the times of an earlier firing: a Prometheus that was cut
// off from its Alertmanager continues with the same startsAt.
type AlertMemory struct {
	// ID is that of the last event, and Said the id that its times alone make.
	ID, Said string
	Resolved bool
	Starts   time.Time
	// Ended is the latest end that was said.
	Ended time.Time
	// Turn is the highest number that an id was given so far.
	Turn int64
}

// Next returns the id under which an event about an alert is stored, and the state to keep
// with it. last is nil where none is kept. The event's own id is made of its times. It is
// used where the times are new, and where the event repeats the state or is older: then
// the id is known, and the event is a repeat. A change back to an earlier state gets a
// number behind the id, which is at least number.
//
//	              same times             other times
//	firing        repeat                 by its id
//	resolved      repeat                 by its id
//	firing after  fires again, so new    new, if it began after the latest end
//	 resolved
//	resolved      ends again, so new     by its id, and old if a later end was said,
//	 after firing                        or the alert began again after this end
func (a *AlertStatus) Next(last *AlertMemory, id string, number int64) (string, AlertMemory) {
	now := AlertMemory{ID: id, Said: id, Resolved: a.Resolved, Starts: a.Starts, Ended: a.Ends}
	if last == nil {
		return id, now
	}
	if now.Turn = last.Turn; last.Ended.After(now.Ended) {
		now.Ended = last.Ended
	}
	again := false
	switch {
	case id == last.Said:
		return last.ID, *last
	case a.Resolved && last.Resolved:
		if !a.Ends.After(last.Ended) {
			return id, *last
		}
	case a.Resolved:
		later := last.Starts.After(a.Starts) && !last.Starts.Before(a.Ends) // it began again after this end
		if later || a.Ends.Before(last.Ended) {
			return id, *last
		}
		again = a.Ends.Equal(last.Ended)
	case last.Resolved:
		again = !a.Starts.After(last.Ended)
	case !a.Starts.After(last.Starts):
		return id, *last
	}
	if again {
		now.Turn = max(number, last.Turn+1)
		now.ID = fmt.Sprintf("%s~%d", id, now.Turn)
	}
	return now.ID, now
}
