package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Courier hands events over to endpoints elsewhere.
type Courier interface {
	// Carry hands over events of one source, in their order, all of them or none. The
	// receipts are in the order of the events. An error that may pass (MayPass) is tried
	// again, and any other is final for what was carried.
	Carry(ctx context.Context, to Destination, events []Event) ([]Receipt, error)
}

const (
	// carryDeadline bounds one handing over; carryMost is the most events in one, to a
	// peer. Any other endpoint gets one at a time.
	carryDeadline = 15 * time.Second
	carryMost     = 100
	// lanesMost is how many destinations and sources are served at once, and lanesEach how
	// many sources of one destination: one that does not answer leaves room for the others.
	lanesMost = 64
	lanesEach = 8
	// carryFirst and carryLast are the pauses after a failure, doubled in between.
	carryFirst = 200 * time.Millisecond
	carryLast  = time.Minute
	// GiveUpDelivery is how long delivering an event is tried. After that it is a dead
	// letter.
	GiveUpDelivery = 24 * time.Hour
	// outboxRetry is when the outbox is read again after the journal failed.
	outboxRetry = 5 * time.Second
)

// outbox delivers what waits in the journal. Each pair of destination and source is a
// lane: in order, one handing over at a time; a lane that fails holds up no other.
type outbox struct {
	host    *Host
	journal Mail
	courier Courier
	clock   Clock
	log     hclog.Logger

	wake  chan struct{}
	begin sync.Once
	end   sync.Once
	halt  context.CancelFunc
	ctx   context.Context
	work  sync.WaitGroup
	// carrying are the lanes that are served now.
	carrying sync.WaitGroup
	room     chan struct{}

	mu      sync.Mutex
	lanes   map[laneKey]*lane
	asked   map[Destination]*putOff // by receivers that said Retry-After
	retired bool                    // no delivery is begun any more
}

type laneKey struct {
	to     Destination
	source string
}

type lane struct {
	busy   bool
	before bool          // busy when the outbox was read: what was read of it may be delivered by now
	single bool          // one event at a time, to find the one that is refused
	wait   time.Duration // the last pause after a failure; they double
	off    putOff
	since  time.Time // when it began to pause; zero where it does not
	// unnoted is until when the journal is left alone that did not note what became of a
	// delivery.
	unnoted putOff
}

func newOutbox(h *Host) *outbox {
	o := &outbox{
		host: h, journal: h.Journal, courier: h.Courier, clock: h.Clock, log: h.Log.Named("outbox"),
		wake: make(chan struct{}, 1), room: make(chan struct{}, lanesMost), lanes: map[laneKey]*lane{}, asked: map[Destination]*putOff{},
	}
	o.ctx, o.halt = context.WithCancel(context.Background())
	return o
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default: // it is awake already
	}
}

// start begins to deliver, once.
func (o *outbox) start() {
	if o.courier == nil {
		return
	}
	o.begin.Do(func() { o.work.Go(o.run) })
}

// retire begins no more deliveries: the next start does, and it may be another process'.
// What is under way goes on until stop.
func (o *outbox) retire() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.retired = true
}

// answerWithin is how long a stop waits for the answers to what is under way.
const answerWithin = time.Second

// stop begins no more deliveries, cuts off those that are not answered soon, and waits:
// what was not noted as delivered is delivered again by the next start, and its receiver
// knows it.
func (o *outbox) stop() {
	o.retire()
	o.within(answerWithin, &o.carrying)
	o.end.Do(o.halt)
	if !o.within(abandonAfter, &o.work) || !o.within(abandonAfter, &o.carrying) {
		o.log.Error("deliveries did not stop: the courier does not heed its context")
	}
}

// within reports whether work ends in time.
func (o *outbox) within(d time.Duration, work *sync.WaitGroup) bool {
	ended := make(chan struct{})
	go func() { defer close(ended); work.Wait() }()
	late, giveBack := o.clock.Timer(d)
	defer giveBack()
	select {
	case <-ended:
		return true
	case <-late:
		return false
	}
}

func (o *outbox) run() {
	for o.ctx.Err() == nil {
		wait, waits := o.round()
		var timer <-chan time.Time
		giveBack := func() {}
		if waits {
			timer, giveBack = o.clock.Timer(wait)
		}
		select {
		case <-o.ctx.Done():
		case <-o.wake:
		case <-timer:
		}
		giveBack()
	}
}

// round sets going every lane that has something and may. It returns when the next one
// may that can't yet.
func (o *outbox) round() (wait time.Duration, waits bool) {
	o.mu.Lock()
	for _, l := range o.lanes {
		l.before = l.busy
	}
	o.mu.Unlock()
	waiting, err := o.journal.Outbox(o.ctx, carryMost)
	now := o.clock.Now()
	if err != nil {
		if o.ctx.Err() == nil {
			o.log.Error("outbox can't be read", "error", err)
		}
		return outboxRetry, true
	}
	byLane := map[laneKey][]Delivery{}
	var order []laneKey
	for _, d := range waiting {
		k := laneKey{d.To, d.Event.Source}
		if byLane[k] == nil {
			order = append(order, k)
		}
		byLane[k] = append(byLane[k], d)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.retired {
		return 0, false
	}
	o.notAhead(now)
	busy := map[string]int{} // lanes, by URL
	for k, l := range o.lanes {
		switch {
		case l.busy:
			busy[k.to.URL]++
		case byLane[k] == nil:
			delete(o.lanes, k)
		}
	}
	for _, k := range order {
		l := o.lanes[k]
		if l == nil {
			l = &lane{}
			o.lanes[k] = l
		}
		l.notAhead(byLane[k], now)
		batch, opens := o.ready(k, l, byLane[k], now)
		switch {
		case l.before, busy[k.to.URL] == lanesEach: // whoever leaves wakes the loop
		case len(batch) == 0:
			if left := opens.Sub(now); !waits || left < wait {
				wait, waits = left, true
			}
		default:
			select {
			case o.room <- struct{}{}:
			default:
				continue
			}
			l.busy = true
			busy[k.to.URL]++
			o.carrying.Go(func() { o.carry(k, l, batch) })
		}
	}
	return wait, waits
}

// carry hands over what a lane has, and notes what became of it. What goes to a peer goes
// at once, anything else one by one.
func (o *outbox) carry(k laneKey, l *lane, batch []Delivery) {
	defer func() { <-o.room; o.signal() }()
	each := len(batch)
	if k.to.Agent != "" || l.single {
		each = 1
	}
	for len(batch) > 0 && o.mayGo(k, l, &batch[0]) {
		now := batch[:each]
		if batch = batch[each:]; !o.hand(k, l, now, len(batch) == 0) {
			return
		}
	}
}

// mayGo reports whether the lane has not to wait before its next delivery. One whose time
// is up waits for nobody.
func (o *outbox) mayGo(k laneKey, l *lane, next *Delivery) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.clock.Now()
	l.busy = !l.unnoted.until.After(now) && (!o.putOff(k, l).until.After(now) || !now.Before(next.until()))
	return l.busy
}

// hand hands over events of a lane, and notes what became of them. It reports whether the
// lane goes on: last says that it has no more.
func (o *outbox) hand(k laneKey, l *lane, batch []Delivery, last bool) (goes bool) {
	receipts, err := o.tryCarry(k, l, batch)
	if o.ctx.Err() != nil {
		return false
	}
	settled, pause := o.judge(k, batch, receipts, err)
	var serr error
	if len(settled) > 0 {
		if serr = o.journal.Settle(o.ctx, settled); serr != nil { // it is delivered again
			o.log.Error("deliveries not noted", "to", hostOf(k.to.URL), "error", serr)
		} else {
			o.tell(k.to.Agent, batch, settled)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if asks := retryAfter(err); asks > 0 {
		o.receiverAsks(k.to, asks, err)
	}
	switch {
	case serr != nil:
		l.unnoted = putOffFor(o.clock.Now(), outboxRetry, serr)
		l.busy = false
		return false
	case errors.As(err, new(*tooLateError)): // it says nothing of the others
		l.busy = !last && !o.retired
		return l.busy
	case pause:
		if l.wait == 0 {
			l.since = o.clock.Now()
		}
		if l.wait == 0 && err != nil { // once, until something is delivered again
			o.log.Warn("events wait: they can't be delivered now, and are tried again", "to", hostOf(k.to.URL), "from", Echo(k.source), "events", len(batch), "error", err)
		}
		l.wait = min(max(2*l.wait, carryFirst), carryLast)
		l.off = putOffFor(o.clock.Now(), l.wait, err)
		l.busy = false
		return false
	case l.wait > 0 && err == nil:
		o.log.Info("events are delivered again", "to", hostOf(k.to.URL), "from", Echo(k.source))
	}
	l.wait, l.off, l.since = 0, putOff{}, time.Time{}
	l.single = err != nil && len(batch) > 1 // the batch was refused as a whole
	l.busy = !last && !o.retired
	return l.busy
}

// tooLateError is of a call whose time was up before it could be made.
type tooLateError struct{ error }

// tryCarry hands events over, unless it is too late for that, or today's bounds forbid it.
func (o *outbox) tryCarry(k laneKey, l *lane, batch []Delivery) ([]Receipt, error) {
	if d := &batch[0]; d.Event.Call != nil {
		o.mu.Lock()
		before := o.putOff(k, l).why
		o.mu.Unlock()
		if !o.clock.Now().Before(d.until()) {
			if before == nil {
				before = errors.New("its turn did not come before")
			}
			return nil, &tooLateError{fmt.Errorf("not answered within %s: %w", d.patience(), before)}
		}
		if err := o.host.mayCall(k.to); err != nil {
			return nil, err
		}
	}
	events := make([]Event, len(batch))
	for i, d := range batch {
		events[i] = d.Event
	}
	ctx, cancel := context.WithTimeout(o.ctx, carryDeadline)
	defer cancel()
	return callCourier(ctx, o.courier, k.to, events)
}

// tell has the agents of calls hear what became of them.
func (o *outbox) tell(agent string, batch []Delivery, settled []Settlement) {
	byID := map[string]string{}
	for _, d := range batch {
		byID[d.ID] = d.Event.ID
	}
	for _, s := range settled {
		if s.Outcome != nil {
			o.host.called(agent, Conclusion{Identity: byID[s.ID], Outcome: *s.Outcome, At: s.At})
		}
	}
}

// judge says what became of each delivery of a batch, and whether the lane has to
// pause. One that is too old by now is given up.
func (o *outbox) judge(k laneKey, batch []Delivery, receipts []Receipt, err error) (settled []Settlement, pause bool) {
	now := o.clock.Now()
	note := func(d Delivery, state DeliveryState, why string) {
		s := d.ends(state, why, now)
		if s.State == Undeliverable {
			o.log.Error("event is a dead letter", "event", Echo(d.Event.ID), "type", Echo(d.Event.Type), "to", hostOf(k.to.URL), "error", s.Why)
		}
		settled = append(settled, s)
	}
	switch {
	case err == nil && len(receipts) != len(batch):
		err = Retry(fmt.Errorf("answered for %d events, was handed %d", len(receipts), len(batch)))
		fallthrough
	case err != nil && MayPass(err):
		for _, d := range batch {
			switch {
			case !now.Before(d.until()):
				note(d, Undeliverable, fmt.Sprintf("not delivered within %s: %v", d.patience(), err))
			case d.Event.Call != nil:
				o.host.callLate(k.to.Agent, d.Event.ID)
			}
		}
		return settled, true
	case err != nil && len(batch) > 1: // one of them is at fault: they go one by one
		return nil, false
	case err != nil:
		note(batch[0], Undeliverable, err.Error())
		return settled, false
	}
	for i, d := range batch {
		switch receipts[i].Verdict {
		case Accepted:
			note(d, Delivered, receipts[i].Why)
		case UnwantedEvent:
			if d.Event.tells() {
				note(d, Delivered, "")
				continue
			}
			note(d, UnwantedThere, receipts[i].Why)
		default:
			note(d, Undeliverable, receipts[i].Why)
		}
	}
	return settled, false
}
