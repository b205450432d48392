package engine

import (
	"errors"
	"time"
)

// putOff is until when the outbox leaves something alone, and why.
type putOff struct {
	until time.Time
	whole time.Duration // from when it was put off
	why   error
}

func putOffFor(now time.Time, whole time.Duration, why error) putOff {
	return putOff{until: now.Add(whole), whole: whole, why: why}
}

// notAhead has it last no longer than it did when it began, where the clock is set back.
func (p *putOff) notAhead(now time.Time) {
	if latest := now.Add(p.whole); p.until.After(latest) {
		p.until = latest
	}
}

// putOff is until when nothing of a lane goes, which may be nil: after a failure of its
// own, or because the receiver asked for it on any lane. The mutex is held.
func (o *outbox) putOff(k laneKey, l *lane) putOff {
	var off putOff
	if l != nil {
		off = l.off
	}
	if asked := o.asked[k.to]; asked != nil && asked.until.After(off.until) {
		return *asked
	}
	return off
}

// receiverAsks notes that a receiver wants nothing for a while, on any lane.
// The mutex is held.
func (o *outbox) receiverAsks(to Destination, wait time.Duration, why error) {
	off := putOffFor(o.clock.Now(), wait, why)
	if before := o.asked[to]; before == nil || off.until.After(before.until) {
		o.asked[to] = &off
	}
}

// notAhead forgets what receivers asked for that is over. The mutex is held.
func (o *outbox) notAhead(now time.Time) {
	for to, off := range o.asked {
		if off.notAhead(now); !off.until.After(now) {
			delete(o.asked, to)
		}
	}
}

// ready are the deliveries of a lane that go now: all, or where it is put off those whose
// time is up. Where there is none, opens is when there will be. The mutex is held.
func (o *outbox) ready(k laneKey, l *lane, waiting []Delivery, now time.Time) (batch []Delivery, opens time.Time) {
	if l.unnoted.until.After(now) {
		return nil, l.unnoted.until
	}
	opens = o.putOff(k, l).until
	if !opens.After(now) {
		return waiting, opens
	}
	for _, d := range waiting {
		switch up := d.until(); {
		case !now.Before(up):
			batch = append(batch, d)
		case up.Before(opens):
			opens = up
		}
	}
	return batch, opens
}

// Later is an error that may pass, and says when at the soonest.
type Later interface{ RetryAfter() time.Duration }

// retryAfter is how long an error asks to wait. Whoever asks for more than a day is asked
// again after a day.
func retryAfter(err error) time.Duration {
	var later Later
	if errors.As(err, &later) {
		return min(later.RetryAfter(), GiveUpDelivery)
	}
	return 0
}
