package queue

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/backoff"
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
	// storeRetry is the pause after which the outbox is read again when the journal failed.
	storeRetry = 5 * time.Second
	// answerWithin bounds Stop's wait for the answers to requests in progress, and
	// cancelWithin its wait for requests that it cancelled.
	answerWithin = time.Second
	cancelWithin = time.Second
)

// retry has the pauses of a stream after failures.
var retry = backoff.Exponential{First: 200 * time.Millisecond, Most: time.Minute}

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
	busy     bool
	wasBusy  bool // busy when the outbox was read: what was read of it may be delivered by now
	single   bool // one event at a time, to find the one that is refused
	failures int  // in a row
	off      pause
	since    time.Time // when it began to pause; zero where it does not
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
