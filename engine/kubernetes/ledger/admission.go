package ledger

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
)

// update is what goes to the log in one request.
type update struct {
	ops  []*op
	said said
	size int
	// What arrives with it. Of changes of an approval only one does: whether the second
	// still may is known once the first is written. The same holds for alerts.
	events    map[eventKey]bool
	approvals map[string]bool
	alerts    map[alertKey]bool
	inboxes   map[string]int
	outbox    int
	bytes     int64
}

// next takes from what waits as much as belongs into one update.
func (l *Ledger) next() (ops []*op, s said) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := &update{events: map[eventKey]bool{}, approvals: map[string]bool{}, alerts: map[alertKey]bool{}, inboxes: map[string]int{}}
	var left []*op
	for i, o := range l.queue {
		if u.size > 0 && u.size+len(o.record) > l.o.SegmentBytes {
			left = append(left, l.queue[i:]...)
			break
		}
		switch l.turn(u, o) {
		case goesNow:
			o.taken = true
			u.size += len(o.record)
			u.ops = append(u.ops, o)
		case goesLater:
			left = append(left, o)
		case goesNot:
		}
	}
	if u.size <= l.o.MaxObjectBytes/2 { // a larger one needs the object for itself
		u.said = l.said.next(l.o.SegmentBytes)
	}
	if l.said.len() > 0 { // a letter can't be sent again before the log has it as dead
		u.ops = slices.DeleteFunc(u.ops, func(o *op) bool {
			if o.resend {
				o.taken = false
				left = append(left, o)
			}
			return o.resend
		})
	}
	l.queue = left
	return u.ops, u.said
}

// turn is when an op is written.
type turn int

const (
	goesNow turn = iota
	goesLater
	goesNot // it has its answer
)

// turn decides when an op is written, by what the log will hold by then. The mutex
// is held.
func (l *Ledger) turn(u *update, o *op) turn {
	if o.result == nil { // it takes back what is in the log
		return goesNow
	}
	if slices.ContainsFunc(o.b.Approvals, func(a approval) bool { return u.approvals[a.ID] }) {
		return goesLater
	}
	alerts := alertsOf(o.alerts)
	if slices.ContainsFunc(alerts, func(k alertKey) bool { return u.alerts[k] }) {
		return goesLater
	}
	if len(alerts) > 0 {
		if err := l.hear(o); err != nil {
			o.end(0, err)
			return goesNot
		}
	}
	if err := l.state.allows(o.b, o.from); err != nil {
		o.end(0, err)
		return goesNot
	}
	fresh := l.state.mail.fresh(o.b)
	if o.post && len(fresh)+len(o.b.Alerts) == 0 {
		o.end(0, nil)
		return goesNot
	}
	maps.DeleteFunc(fresh, func(k eventKey, _ int64) bool { return u.events[k] })
	inboxes, outbox := places(fresh)
	bytes := o.b.bytesOf(fresh)
	if o.post {
		if err := l.room(u, inboxes, outbox, bytes); err != nil {
			o.end(0, err)
			return goesNot
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
	return goesNow
}

// places counts letters by where they go.
func places(of map[eventKey]int64) (inboxes map[string]int, outbox int) {
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

// bytesOf is what events of a record take, each in each place where it is one of these.
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

// room is an engine.ErrFull where so many more have none. More at once than an inbox holds
// fit into an empty one: who sends them (an Alertmanager) can't take them apart.
func (l *Ledger) room(u *update, inboxes map[string]int, outbox int, bytes int64) error {
	var full []string
	for _, agent := range slices.Sorted(maps.Keys(inboxes)) {
		if held := l.state.mail.waiting(agent) + u.inboxes[agent]; held+inboxes[agent] > max(l.o.InboxMost, inboxes[agent]) {
			full = append(full, fmt.Sprintf("the inbox of %s holds %d of %d", agent, held, l.o.InboxMost))
		}
	}
	if held := len(l.state.mail.outbox) + u.outbox; outbox > 0 && held+outbox > l.o.OutboxMost {
		full = append(full, fmt.Sprintf("the outbox holds %d of %d", held, l.o.OutboxMost))
	}
	if held := l.state.mail.bytes + u.bytes; bytes > 0 && held+bytes > l.o.MailBytes {
		full = append(full, fmt.Sprintf("the inboxes and the outbox hold %d bytes of %d", held, l.o.MailBytes))
	}
	if full == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", engine.ErrFull, strings.Join(full, "; "))
}
