package ledger

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
)

// update holds the writes of one request to the log.
type update struct {
	ops      []*op
	outcomes outcomes
	size     int
	// The keys that the update changes. It has at most one change per approval and per alert,
	// since a second one can be checked only once the first is written.
	events    map[eventKey]bool
	approvals map[string]bool
	alerts    map[alertKey]bool
	inboxes   map[string]int
	outbox    int
	bytes     int64
}

// next takes records for one update off the queue.
func (l *Ledger) next() (ops []*op, s outcomes) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := &update{events: map[eventKey]bool{}, approvals: map[string]bool{}, alerts: map[alertKey]bool{}, inboxes: map[string]int{}}
	var left []*op
	for i, o := range l.queue {
		if u.size > 0 && u.size+len(o.record) > l.o.SegmentBytes {
			left = append(left, l.queue[i:]...)
			break
		}
		switch l.admit(u, o) {
		case admitNow:
			o.taken = true
			u.size += len(o.record)
			u.ops = append(u.ops, o)
		case admitLater:
			left = append(left, o)
		case answered:
		}
	}
	if u.size <= l.o.MaxObjectBytes/2 { // a larger one needs the object to itself
		u.outcomes = l.outcomes.next(l.o.SegmentBytes)
	}
	if l.outcomes.len() > 0 { // the log must have a dead letter before it can be sent again
		u.ops = slices.DeleteFunc(u.ops, func(o *op) bool {
			if o.resend {
				o.taken = false
				left = append(left, o)
			}
			return o.resend
		})
	}
	l.queue = left
	return u.ops, u.outcomes
}

// admission says when a record is written.
type admission int

const (
	admitNow admission = iota
	admitLater
	answered // not at all: its caller has an answer
)

// admit decides when a record is written, by what the log will hold by then. The mutex is held.
func (l *Ledger) admit(u *update, o *op) admission {
	if o.result == nil { // it undoes another
		return admitNow
	}
	if slices.ContainsFunc(o.b.Approvals, func(a approval) bool { return u.approvals[a.ID] }) {
		return admitLater
	}
	alerts := alertsOf(o.alerts)
	if slices.ContainsFunc(alerts, func(k alertKey) bool { return u.alerts[k] }) {
		return admitLater
	}
	if len(alerts) > 0 {
		if err := l.resolveAlerts(o); err != nil {
			o.end(0, err)
			return answered
		}
	}
	if err := l.state.checkTransitions(o.b, o.from); err != nil {
		o.end(0, err)
		return answered
	}
	fresh := l.state.queues.fresh(o.b)
	if o.post && len(fresh)+len(o.b.Alerts) == 0 {
		o.end(0, nil)
		return answered
	}
	maps.DeleteFunc(fresh, func(k eventKey, _ int64) bool { return u.events[k] })
	inboxes, outbox := countByBox(fresh)
	bytes := o.b.bytesOf(fresh)
	if o.post {
		if err := l.checkCapacity(u, inboxes, outbox, bytes); err != nil {
			o.end(0, err)
			return answered
		}
	}
	u.outbox += outbox
	u.bytes += bytes
	for agent, n := range inboxes {
		u.inboxes[agent] += n
	}
	for k := range fresh {
		u.events[k] = true
	}
	for _, a := range o.b.Approvals {
		u.approvals[a.ID] = true
	}
	for _, k := range alerts {
		u.alerts[k] = true
	}
	return admitNow
}

// countByBox counts messages by destination.
func countByBox(of map[eventKey]int64) (inboxes map[string]int, outbox int) {
	inboxes = map[string]int{}
	for k := range of {
		if k.outgoing() {
			outbox++
		} else {
			inboxes[k.Agent]++
		}
	}
	return inboxes, outbox
}

// bytesOf returns the bytes of a record's events in these boxes.
func (b *batch) bytesOf(places map[eventKey]int64) (n int64) {
	left := maps.Clone(places)
	for i := range b.Events {
		k := b.Events[i].key()
		if _, counts := left[k]; counts {
			delete(left, k)
			n += b.Events[i].Event.bytes()
		}
	}
	return n
}

// checkCapacity returns an engine.ErrFull where the boxes can't hold so many more events. A
// post that is larger than an inbox fits into an empty one, since its sender (an Alertmanager)
// can't split it.
func (l *Ledger) checkCapacity(u *update, inboxes map[string]int, outbox int, bytes int64) error {
	var full []string
	for _, agent := range slices.Sorted(maps.Keys(inboxes)) {
		if held := l.state.queues.waiting(agent) + u.inboxes[agent]; held+inboxes[agent] > max(l.o.InboxMost, inboxes[agent]) {
			full = append(full, fmt.Sprintf("the inbox of %s holds %d of %d", agent, held, l.o.InboxMost))
		}
	}
	if held := len(l.state.queues.outbox) + u.outbox; outbox > 0 && held+outbox > l.o.OutboxMost {
		full = append(full, fmt.Sprintf("the outbox holds %d of %d", held, l.o.OutboxMost))
	}
	if held := l.state.queues.bytes + u.bytes; bytes > 0 && held+bytes > l.o.MailBytes {
		full = append(full, fmt.Sprintf("the inboxes and the outbox hold %d bytes of %d", held, l.o.MailBytes))
	}
	if full == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", engine.ErrFull, strings.Join(full, "; "))
}
