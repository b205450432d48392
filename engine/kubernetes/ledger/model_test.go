package ledger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scanflow-k8s/scanflow/engine"
)

// paper is an event in one place, and a model of mail is all of them in the order in
// which they came to where they are.
type paper struct {
	eventKey
	is   string // waits, dead, gone or unwanted
	born int
}

type model struct {
	papers    []paper
	approvals map[string]standing
}

type standing struct {
	state engine.ApprovalState
	born  int
}

func (m *model) find(k eventKey) *paper {
	if i := m.index(k); i >= 0 {
		return &m.papers[i]
	}
	return nil
}

func (m *model) index(k eventKey) int {
	return slices.IndexFunc(m.papers, func(p paper) bool { return p.eventKey == k })
}

// put moves a paper behind all others, or before them.
func (m *model) put(p paper, first bool) {
	m.papers = slices.DeleteFunc(m.papers, func(o paper) bool { return o.eventKey == p.eventKey })
	if first {
		m.papers = slices.Insert(m.papers, 0, p)
	} else {
		m.papers = append(m.papers, p)
	}
}

func (m *model) those(is string) (out []eventKey) {
	for _, p := range m.papers {
		if p.is == is {
			out = append(out, p.eventKey)
		}
	}
	return out
}

// settle follows the words of engine.Queue.
func (m *model) settle(k eventKey, state engine.DeliveryState) {
	p := *m.find(k)
	switch state {
	case engine.Delivered:
		p.is = "gone"
	case engine.Undeliverable:
		p.is = "dead"
	case engine.UnwantedThere:
		p.is = "dead"
		for _, o := range m.papers {
			same := o.eventKey != k && o.Source == k.Source && o.ID == k.ID
			if same && (o.URL == "" || o.is == "waits" || o.is == "gone") {
				p.is = "unwanted"
			}
		}
	}
	m.put(p, false)
}

// run is a state, the log that it came from, and the model.
type run struct {
	*rapid.T
	s     *state
	log   []string
	m     model
	step  int
	undos []func() // firings that may yet be taken back
}

// write does what the writer does with a record that landed, and returns how to take it back.
func (r *run) write(b *batch) *batch {
	record, back, err := pack(b)
	require.NoError(r, err)
	undo := r.s.inverse(back, "test", day)
	r.s.apply(back)
	r.log = append(r.log, record)
	return undo
}

func (r *run) stamp() stamp {
	r.s.n++
	return stamp{nanos(day.Add(time.Duration(r.step) * time.Minute)), r.s.n}
}

func (r *run) pick(label string, of []eventKey) (eventKey, bool) {
	if len(of) == 0 {
		return eventKey{}, false
	}
	return rapid.SampledFrom(of).Draw(r.T, label), true
}

func (r *run) postings() (out []engine.Envelope) {
	for range rapid.IntRange(0, 2).Draw(r.T, "postings") {
		p := engine.Envelope{Event: engine.Event{ID: fmt.Sprint("e", rapid.IntRange(0, 3).Draw(r.T, "event")), Source: rapid.SampledFrom([]string{"s", "t"}).Draw(r.T, "source"),
			Time: day, Data: map[string]any{"step": float64(r.step)}}}
		p.Agents = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"ns/a", "ns/b"}), 0, 2, rapid.ID).Draw(r.T, "agents")
		for _, url := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"https://x", "https://y", "https://z"}), 0, 3, rapid.ID).Draw(r.T, "to") {
			p.To = append(p.To, engine.Destination{URL: url, Agent: rapid.SampledFrom([]string{"", "ns/a"}).Draw(r.T, "sender")})
		}
		out = append(out, p)
	}
	return out
}

// posted has the model take postings, and returns what is new.
func (r *run) posted(postings []engine.Envelope) (fresh []eventKey) {
	for _, e := range eventsOf(postings, stamp{}) {
		if k := e.key(); r.m.find(k) == nil {
			r.m.put(paper{k, "waits", r.step}, false)
			fresh = append(fresh, k)
		}
	}
	return fresh
}

func (r *run) post() {
	postings := r.postings()
	b := &batch{Events: eventsOf(postings, r.stamp())}
	fresh := r.s.queues.fresh(b)
	require.Len(r, fresh, len(r.posted(postings)))
	r.write(b)
}

func (r *run) settle() {
	k, any := r.pick("delivery", slices.DeleteFunc(r.m.those("waits"), func(k eventKey) bool { return k.URL == "" }))
	if !any {
		return
	}
	state := rapid.SampledFrom([]engine.DeliveryState{engine.Delivered, engine.UnwantedThere, engine.Undeliverable}).Draw(r.T, "state")
	end, waited := r.s.settle(engine.Ack{ID: k.messageID(), State: state, At: day}, day)
	require.True(r, waited)
	_, again := r.s.settle(engine.Ack{ID: k.messageID(), State: state, At: day}, day)
	require.False(r, again)
	r.write(&batch{Handled: []handled{end}})
	r.m.settle(k, state)
}

func (r *run) bury() {
	k, any := r.pick("buried", slices.DeleteFunc(r.m.those("waits"), func(k eventKey) bool { return k.URL != "" }))
	if !any {
		return
	}
	end, waited := r.s.bury(k, "nobody takes it", day)
	require.True(r, waited)
	r.write(&batch{Handled: []handled{end}})
	r.m.put(paper{k, "dead", r.m.find(k).born}, false)
}

func (r *run) resend() {
	k, any := r.pick("resent", r.m.those("dead"))
	if !any {
		return
	}
	s := r.stamp()
	r.write(&batch{Resent: []numbered{{eventKey: k, N: s.n, At: s.at}}})
	r.m.put(paper{k, "waits", r.step}, false)
}

func (r *run) changes() (out []engine.ApprovalChange) {
	for range rapid.IntRange(0, 2).Draw(r.T, "changes") {
		states := rapid.SampledFrom([]engine.ApprovalState{engine.ApprovalWaiting, engine.ApprovalApproved, engine.ApprovalDenied, engine.ApprovalUsed})
		c := engine.ApprovalChange{Approval: engine.Approval{ID: fmt.Sprint("q", rapid.IntRange(0, 2).Draw(r.T, "approval")), Agent: "ns/a", Asked: day, Ended: day, State: states.Draw(r.T, "to be")}}
		if rapid.Bool().Draw(r.T, "in time") {
			c.From = r.m.approvals[c.Approval.ID].state
		} else {
			c.From = rapid.SampledFrom([]engine.ApprovalState{"", engine.ApprovalWaiting, engine.ApprovalApproved}).Draw(r.T, "from")
		}
		out = append(out, c)
	}
	return out
}

// firing writes one, and may have it taken back, at once or after others.
func (r *run) firing() {
	s, changes, postings := r.stamp(), r.changes(), r.postings()
	b := &batch{Events: eventsOf(postings, s), Approvals: approvalsOf(changes, s)}
	refused, states := false, map[string]engine.ApprovalState{}
	for _, c := range changes {
		is, seen := states[c.Approval.ID]
		if !seen {
			is = r.m.approvals[c.Approval.ID].state
		}
		refused = refused || is != c.From
		states[c.Approval.ID] = c.Approval.State
	}
	err := r.s.checkTransitions(b, expected(changes))
	require.Equal(r, refused, err != nil)
	if refused {
		require.ErrorIs(r, err, engine.ErrApprovalState)
		return
	}
	asked, any := r.pick("handled", slices.DeleteFunc(r.m.those("waits"), func(k eventKey) bool { return k.URL != "" }))
	if any {
		b.Handled = []handled{{eventKey: asked, At: nanos(day)}}
	}
	undo := r.write(b)

	born, before := r.step, map[string]standing{}
	fresh := r.posted(postings)
	for id, state := range states {
		before[id] = r.m.approvals[id]
		r.m.approvals[id] = standing{state, born}
	}
	if any {
		r.m.put(paper{asked, "gone", r.m.find(asked).born}, false)
	}
	r.undos = append(r.undos, func() {
		r.write(undo)
		if p := r.m.find(asked); any && p.is != "waits" && p.is != "dead" {
			r.m.put(paper{asked, "waits", p.born}, true)
		}
		for _, k := range fresh {
			if p := r.m.find(k); p != nil && p.born == born && (p.is == "waits" || p.is == "dead") {
				r.m.papers = slices.Delete(r.m.papers, r.m.index(k), r.m.index(k)+1)
			}
		}
		for id := range states {
			switch was := before[id]; {
			case r.m.approvals[id].born != born:
			case was.state == "":
				delete(r.m.approvals, id)
			default:
				r.m.approvals[id] = was
			}
		}
	})
}

func (r *run) undoCommitted() {
	if n := len(r.undos); n > 0 {
		r.undos[n-1]()
		r.undos = r.undos[:n-1]
	}
}

// restart reads the log, as it is or folded.
func (r *run) restart() {
	if rapid.Bool().Draw(r.T, "fold") {
		bases, err := packItems(r.s.items(), rapid.SampledFrom([]int{1, 300, 1 << 20}).Draw(r.T, "bytes"))
		require.NoError(r, err)
		overlapping := slices.Concat(bases, r.log)
		r.log = bases
		r.s = r.read(overlapping)
		r.compare(func(want, got any) {
			require.ElementsMatch(r, want, got, "a base, and the records that it was made of")
		})
	}
	r.s = r.read(r.log)
}

func (r *run) read(log []string) *state {
	s := newState()
	for _, record := range log {
		b, err := unpack(record)
		require.NoError(r, err)
		s.apply(b)
	}
	return s
}

// compare has the state say what the model says, in the model's order if it is asked to.
func (r *run) compare(order func(want, got any)) {
	want := map[string][]string{}
	for _, p := range r.m.papers {
		box := p.is
		switch {
		case p.is == "waits" && p.URL != "":
			box = engine.BoxOutbox
		case p.is == "waits":
			box = p.Agent
		}
		want[box] = append(want[box], p.messageID())
	}
	got := map[string][]string{}
	soundBytes(r.T, &r.s.queues)
	for k, l := range r.s.queues.messages {
		switch l.fate {
		case fateHandled:
			got["gone"] = append(got["gone"], k.messageID())
		case fateUnwanted:
			got["unwanted"] = append(got["unwanted"], k.messageID())
		}
	}
	for _, agent := range []string{"ns/a", "ns/b"} {
		for _, e := range r.s.queues.inbox(agent, -1) {
			got[agent] = append(got[agent], (&eventKey{Agent: agent, Source: e.Source, ID: e.ID}).messageID())
		}
	}
	for _, d := range r.s.queues.deliveries(-1) {
		got[engine.BoxOutbox] = append(got[engine.BoxOutbox], d.ID)
	}
	listed := 0
	for _, l := range r.s.queues.list("", -1) {
		if listed++; l.Box == engine.BoxDead {
			got[l.Box] = append(got[l.Box], l.ID)
		}
	}
	require.Equal(r, listed, len(got["ns/a"])+len(got["ns/b"])+len(got[engine.BoxOutbox])+len(got[engine.BoxDead]))
	for _, names := range []string{"gone", "unwanted"} {
		require.ElementsMatch(r, want[names], got[names])
	}
	for _, box := range []string{"ns/a", "ns/b", engine.BoxOutbox, engine.BoxDead} {
		order(want[box], got[box])
	}

	is, questions := map[string]engine.ApprovalState{}, map[string]engine.ApprovalState{}
	for _, a := range r.s.approvalsSince("", time.Time{}) {
		is[a.ID] = a.State
	}
	for id, q := range r.m.approvals {
		questions[id] = q.state
	}
	require.Equal(r, questions, is)
}

// TestMailAndApprovalsAgainstAModel does random things, takings back and restarts
// among them, and compares the state with a model after each.
func TestMailAndApprovalsAgainstAModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := &run{T: rt, s: newState(), m: model{approvals: map[string]standing{}}}
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			r.step++
			rapid.SampledFrom([]func(){r.post, r.post, r.settle, r.settle, r.bury, r.resend, r.firing, r.firing, r.undoCommitted, r.restart}).Draw(rt, "do")()
			r.compare(func(want, got any) { require.Equal(rt, want, got) })
		}
	})
}
