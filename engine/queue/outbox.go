package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/urlguard"
)

const (
	// deliverDeadline bounds one request; batchMost is the most events in one, to a peer. Any
	// other endpoint gets one event a request.
	deliverDeadline = 15 * time.Second
	batchMost       = 100
	// streamsMost bounds the streams that are delivered at once, and streamsEach those of one
	// destination: one that does not answer leaves room for the others.
	streamsMost = 64
	streamsEach = 8
	// retryFirst and retryMost are the pauses after a failure, doubled in between.
	retryFirst = 200 * time.Millisecond
	retryMost  = time.Minute
	// storeRetry is the pause after which the outbox is read again when the journal failed.
	storeRetry = 5 * time.Second
	// answerWithin bounds Stop's wait for the answers to requests in progress, and
	// cancelWithin its wait for requests that it cancelled.
	answerWithin = time.Second
	cancelWithin = time.Second
)

// Calls is informed about the requests of acts among the deliveries.
type Calls interface {
	// Allowed returns why a call that was admitted earlier may not be made now. The error is
	// retryable where its agent may come back.
	Allowed(to engine.Destination) error
	// Ended passes the outcome of a call to its agent.
	Ended(agent string, c engine.Conclusion)
	// Late records that a call waits for its next try.
	Late(agent, identity string)
}

// Outbox delivers what waits in the store. Each pair of destination and source is a stream:
// in order, one request at a time; a stream that fails does not hold up another.
type Outbox struct {
	store     engine.Queue
	deliverer engine.Deliverer
	calls     Calls
	clock     engine.Clock
	log       hclog.Logger

	wake   chan struct{}
	begin  sync.Once
	end    sync.Once
	cancel context.CancelFunc
	ctx    context.Context
	loop   sync.WaitGroup
	// delivering are the streams that are delivered now; semaphore bounds them.
	delivering sync.WaitGroup
	semaphore  chan struct{}

	mu      sync.Mutex
	streams map[streamKey]*stream
	asked   map[engine.Destination]*pause // by receivers that sent Retry-After
	retired bool                          // no delivery is begun any more
}

type streamKey struct {
	to     engine.Destination
	source string
}

type stream struct {
	busy    bool
	wasBusy bool          // busy when the outbox was read: what was read of it may be delivered by now
	single  bool          // one event at a time, to find the one that is refused
	wait    time.Duration // the last pause after a failure; they double
	off     pause
	since   time.Time // when it began to pause; zero where it does not
	// unacked is the pause after the store failed to record how a delivery ended.
	unacked pause
}

// NewOutbox returns an outbox that delivers nothing before Start.
func NewOutbox(store engine.Queue, deliverer engine.Deliverer, calls Calls, clock engine.Clock, log hclog.Logger) *Outbox {
	o := &Outbox{
		store: store, deliverer: deliverer, calls: calls, clock: clock, log: log.Named("outbox"),
		wake: make(chan struct{}, 1), semaphore: make(chan struct{}, streamsMost), streams: map[streamKey]*stream{}, asked: map[engine.Destination]*pause{},
	}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	return o
}

// Wake has the outbox read the store again.
func (o *Outbox) Wake() {
	select {
	case o.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Start begins to deliver, once.
func (o *Outbox) Start() { o.begin.Do(func() { o.loop.Go(o.run) }) }

// Retire starts no more deliveries. The next start does, possibly in another process.
// Deliveries in progress continue until Stop.
func (o *Outbox) Retire() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.retired = true
}

// Stop begins no more deliveries, cancels those that are not answered soon, and waits for
// their end. A delivery whose end was not recorded is delivered again by the next start, and
// its receiver recognizes it.
func (o *Outbox) Stop() {
	o.Retire()
	o.endsWithin(answerWithin, &o.delivering)
	o.end.Do(o.cancel)
	if !o.endsWithin(cancelWithin, &o.loop) || !o.endsWithin(cancelWithin, &o.delivering) {
		o.log.Error("deliveries did not stop: the courier does not heed its context")
	}
}

// endsWithin reports whether work ends within d.
func (o *Outbox) endsWithin(d time.Duration, work *sync.WaitGroup) bool {
	ended := make(chan struct{})
	go func() { defer close(ended); work.Wait() }()
	late, stop := o.clock.Timer(d)
	defer stop()
	select {
	case <-ended:
		return true
	case <-late:
		return false
	}
}

func (o *Outbox) run() {
	for o.ctx.Err() == nil {
		wait, waits := o.pass()
		var timer <-chan time.Time
		stop := func() {}
		if waits {
			timer, stop = o.clock.Timer(wait)
		}
		select {
		case <-o.ctx.Done():
		case <-o.wake:
		case <-timer:
		}
		stop()
	}
}

// pass begins to deliver every stream that has something and is not paused. It returns how
// long the first of the others still waits.
func (o *Outbox) pass() (wait time.Duration, waits bool) {
	o.mu.Lock()
	for _, l := range o.streams {
		l.wasBusy = l.busy
	}
	o.mu.Unlock()
	waiting, err := o.store.Outbox(o.ctx, batchMost)
	now := o.clock.Now()
	if err != nil {
		if o.ctx.Err() == nil {
			o.log.Error("outbox can't be read", "error", err)
		}
		return storeRetry, true
	}
	byStream := map[streamKey][]engine.Delivery{}
	var order []streamKey
	for _, d := range waiting {
		k := streamKey{d.To, d.Event.Source}
		if byStream[k] == nil {
			order = append(order, k)
		}
		byStream[k] = append(byStream[k], d)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.retired {
		return 0, false
	}
	o.rebase(now)
	busy := map[string]int{} // streams, by URL
	for k, l := range o.streams {
		switch {
		case l.busy:
			busy[k.to.URL]++
		case byStream[k] == nil:
			delete(o.streams, k)
		}
	}
	for _, k := range order {
		l := o.streams[k]
		if l == nil {
			l = &stream{}
			o.streams[k] = l
		}
		l.rebase(byStream[k], now)
		batch, opens := o.due(k, l, byStream[k], now)
		switch {
		case l.wasBusy, busy[k.to.URL] == streamsEach: // the end of a stream wakes the loop
		case len(batch) == 0:
			if left := opens.Sub(now); !waits || left < wait {
				wait, waits = left, true
			}
		default:
			select {
			case o.semaphore <- struct{}{}:
			default:
				continue
			}
			l.busy = true
			busy[k.to.URL]++
			o.delivering.Go(func() { o.deliver(k, l, batch) })
		}
	}
	return wait, waits
}

// deliver sends what a stream has: to a peer all at once, to any other endpoint one by one.
func (o *Outbox) deliver(k streamKey, l *stream, batch []engine.Delivery) {
	defer func() { <-o.semaphore; o.Wake() }()
	each := len(batch)
	if k.to.Agent != "" || l.single {
		each = 1
	}
	for len(batch) > 0 && o.ready(k, l, &batch[0]) {
		now := batch[:each]
		if batch = batch[each:]; !o.send(k, l, now, len(batch) == 0) {
			return
		}
	}
}

// ready reports whether a stream may send its next delivery. One whose deadline has passed
// does not wait.
func (o *Outbox) ready(k streamKey, l *stream, next *engine.Delivery) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.clock.Now()
	l.busy = !l.unacked.until.After(now) && (!o.pauseOf(k, l).until.After(now) || !now.Before(next.Deadline()))
	return l.busy
}

// send sends events of a stream, and records how their deliveries ended. It reports whether
// the stream goes on; last is set where it has no more.
func (o *Outbox) send(k streamKey, l *stream, batch []engine.Delivery, last bool) (goes bool) {
	receipts, err := o.trySend(k, l, batch)
	if o.ctx.Err() != nil {
		return false
	}
	acks, pauses := o.judge(k, batch, receipts, err)
	var ackErr error
	if len(acks) > 0 {
		if ackErr = o.store.Ack(o.ctx, acks); ackErr != nil { // they are delivered again
			o.log.Error("deliveries not noted", "to", urlguard.Host(k.to.URL), "error", ackErr)
		} else {
			o.conclude(k.to.Agent, batch, acks)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if asks := retryAfter(err); asks > 0 {
		o.pauseDestination(k.to, asks, err)
	}
	switch {
	case ackErr != nil:
		l.unacked = pauseFor(o.clock.Now(), storeRetry, ackErr)
		l.busy = false
		return false
	case errors.As(err, new(*tooLateError)): // the others are not affected
		l.busy = !last && !o.retired
		return l.busy
	case pauses:
		if l.wait == 0 {
			l.since = o.clock.Now()
		}
		if l.wait == 0 && err != nil { // once, until something is delivered again
			o.log.Warn("events wait: they can't be delivered now, and are tried again", "to", urlguard.Host(k.to.URL), "from", engine.Echo(k.source), "events", len(batch), "error", err)
		}
		l.wait = min(max(2*l.wait, retryFirst), retryMost)
		l.off = pauseFor(o.clock.Now(), l.wait, err)
		l.busy = false
		return false
	case l.wait > 0 && err == nil:
		o.log.Info("events are delivered again", "to", urlguard.Host(k.to.URL), "from", engine.Echo(k.source))
	}
	l.wait, l.off, l.since = 0, pause{}, time.Time{}
	l.single = err != nil && len(batch) > 1 // the batch was refused as a whole
	l.busy = !last && !o.retired
	return l.busy
}

// tooLateError is the error of a call whose deadline passed before it could be made.
type tooLateError struct{ error }

// trySend sends events, unless a call is too late or the current guards forbid it.
func (o *Outbox) trySend(k streamKey, l *stream, batch []engine.Delivery) ([]engine.Receipt, error) {
	if d := &batch[0]; d.Event.Call != nil {
		o.mu.Lock()
		before := o.pauseOf(k, l).why
		o.mu.Unlock()
		if !o.clock.Now().Before(d.Deadline()) {
			if before == nil {
				before = errors.New("its turn did not come before")
			}
			return nil, &tooLateError{fmt.Errorf("not answered within %s: %w", d.Timeout(), before)}
		}
		if err := o.calls.Allowed(k.to); err != nil {
			return nil, err
		}
	}
	events := make([]engine.Event, len(batch))
	for i, d := range batch {
		events[i] = d.Event
	}
	ctx, cancel := context.WithTimeout(o.ctx, deliverDeadline)
	defer cancel()
	return o.call(ctx, k.to, events)
}

// conclude passes the outcomes of calls to their agents.
func (o *Outbox) conclude(agent string, batch []engine.Delivery, acks []engine.Ack) {
	byID := map[string]string{}
	for _, d := range batch {
		byID[d.ID] = d.Event.ID
	}
	for _, s := range acks {
		if s.Outcome != nil {
			o.calls.Ended(agent, engine.Conclusion{Identity: byID[s.ID], Outcome: *s.Outcome, At: s.At})
		}
	}
}

// judge returns how each delivery of a batch ended, and whether the stream has to pause. A
// delivery that is past its deadline is given up.
func (o *Outbox) judge(k streamKey, batch []engine.Delivery, receipts []engine.Receipt, err error) (acks []engine.Ack, pauses bool) {
	now := o.clock.Now()
	note := func(d engine.Delivery, state engine.DeliveryState, why string) {
		s := d.Ack(state, why, now)
		if s.State == engine.Undeliverable {
			o.log.Error("event is a dead letter", "event", engine.Echo(d.Event.ID), "type", engine.Echo(d.Event.Type), "to", urlguard.Host(k.to.URL), "error", s.Why)
		}
		acks = append(acks, s)
	}
	switch {
	case err == nil && len(receipts) != len(batch):
		err = engine.Retry(fmt.Errorf("answered for %d events, was handed %d", len(receipts), len(batch)))
		fallthrough
	case err != nil && engine.IsRetryable(err):
		for _, d := range batch {
			switch {
			case !now.Before(d.Deadline()):
				note(d, engine.Undeliverable, fmt.Sprintf("not delivered within %s: %v", d.Timeout(), err))
			case d.Event.Call != nil:
				o.calls.Late(k.to.Agent, d.Event.ID)
			}
		}
		return acks, true
	case err != nil && len(batch) > 1: // one of them is refused: send them one by one
		return nil, false
	case err != nil:
		note(batch[0], engine.Undeliverable, err.Error())
		return acks, false
	}
	for i, d := range batch {
		switch receipts[i].Verdict {
		case engine.Accepted:
			note(d, engine.Delivered, receipts[i].Why)
		case engine.UnwantedEvent:
			if d.Event.Informs() {
				note(d, engine.Delivered, "")
				continue
			}
			note(d, engine.UnwantedThere, receipts[i].Why)
		default:
			note(d, engine.Undeliverable, receipts[i].Why)
		}
	}
	return acks, false
}

// call turns a panic of the deliverer into its error.
func (o *Outbox) call(ctx context.Context, to engine.Destination, events []engine.Event) (receipts []engine.Receipt, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return o.deliverer.Deliver(ctx, to, events)
}

// explain sets why the messages of the outbox wait: the last failure of their streams.
func (o *Outbox) explain(messages []engine.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range messages {
		m := &messages[i]
		if m.Box != engine.BoxOutbox {
			continue
		}
		k := streamKey{engine.Destination{URL: m.To, Agent: m.Agent}, m.Event.Source}
		if off := o.pauseOf(k, o.streams[k]); off.why != nil {
			m.Why = engine.Clip(off.why.Error())
		}
	}
}
