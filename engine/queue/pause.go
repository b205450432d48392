package queue

import (
	"errors"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// pause is until when the outbox does not use a stream or a destination, and why.
type pause struct {
	until  time.Time
	length time.Duration
	why    error
}

func pauseFor(now time.Time, d time.Duration, why error) pause {
	return pause{until: now.Add(d), length: d, why: why}
}

// rebase shortens a pause to its length, where the clock was set back.
func (p *pause) rebase(now time.Time) {
	if latest := now.Add(p.length); p.until.After(latest) {
		p.until = latest
	}
}

// pauseOf returns the pause of a stream, which may be nil: after a failure of its own, or
// because the receiver asked for one on any stream. The mutex is held.
func (o *Outbox) pauseOf(k streamKey, l *stream) pause {
	var off pause
	if l != nil {
		off = l.off
	}
	if asked := o.asked[k.to]; asked != nil && asked.until.After(off.until) {
		return *asked
	}
	return off
}

// pauseDestination pauses every stream to a destination that sent Retry-After. The mutex is
// held.
func (o *Outbox) pauseDestination(to engine.Destination, wait time.Duration, why error) {
	off := pauseFor(o.clock.Now(), wait, why)
	if before := o.asked[to]; before == nil || off.until.After(before.until) {
		o.asked[to] = &off
	}
}

// rebase drops the pauses of destinations that are over. The mutex is held.
func (o *Outbox) rebase(now time.Time) {
	for to, off := range o.asked {
		if off.rebase(now); !off.until.After(now) {
			delete(o.asked, to)
		}
	}
}

// rebase shortens the pauses of a stream after the clock was set back. The timeout of a
// delivery that was queued while the clock was ahead begins with the pause.
func (l *stream) rebase(batch []engine.Delivery, now time.Time) {
	l.off.rebase(now)
	l.unacked.rebase(now)
	for i := range batch {
		if !batch[i].Queued.After(now) {
			continue
		}
		if batch[i].Queued = now; !l.since.IsZero() {
			batch[i].Queued = engine.NotAfter(l.since, now)
		}
	}
}

// due returns the deliveries of a stream that are sent now: all, or during a pause those
// past their deadline. If there is none, opens is the time of the next one. The mutex is
// held.
func (o *Outbox) due(k streamKey, l *stream, waiting []engine.Delivery, now time.Time) (batch []engine.Delivery, opens time.Time) {
	if l.unacked.until.After(now) {
		return nil, l.unacked.until
	}
	opens = o.pauseOf(k, l).until
	if !opens.After(now) {
		return waiting, opens
	}
	for _, d := range waiting {
		switch deadline := d.Deadline(); {
		case !now.Before(deadline):
			batch = append(batch, d)
		case deadline.Before(opens):
			opens = deadline
		}
	}
	return batch, opens
}

// retryAfter returns the wait that an error asks for, at most DeliveryTimeout.
func retryAfter(err error) time.Duration {
	var later engine.Later
	if errors.As(err, &later) {
		return min(later.RetryAfter(), engine.DeliveryTimeout)
	}
	return 0
}
