package journal

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scanflow-k8s/scanflow/engine"
)

// modelLetter is an event in one queue of the model.
type modelLetter struct {
	agent, url string // url is "" in an inbox
	source, id string
	state      string
	since      time.Time
	why        string
	letterID   string // as the journal first told it
}

func (l *modelLetter) ended() bool { return l.state != "waiting" }

// mailModel is a simple model of a journal's queues: all events in one slice, in the order in
// which they were queued.
type mailModel struct {
	letters []modelLetter
	most    queueLimits
	now     time.Time
	used    map[string]bool // ids of letters, of those that are gone too
}

func (m *mailModel) find(agent, url, source, id string) *modelLetter {
	for i := range m.letters {
		if l := &m.letters[i]; l.agent == agent && l.url == url && l.source == source && l.id == id {
			return l
		}
	}
	return nil
}

func (m *mailModel) waiting(inbox string) (n int) {
	for _, l := range m.letters {
		if l.state == "waiting" && (inbox == "" && l.url != "" || inbox != "" && l.url == "" && l.agent == inbox) {
			n++
		}
	}
	return n
}

// bytes is the size of all waiting events.
func (m *mailModel) bytes() (n int64) {
	for _, l := range m.letters {
		if l.state == "waiting" {
			n += bodyBytes(event(l.source, l.id))
		}
	}
	return n
}

// post returns the expected result of Post. Without limits it accepts everything.
func (m *mailModel) post(postings []engine.Envelope, limited bool) (fresh int, full bool) {
	before := slices.Clone(m.letters)
	add := func(agent, url string, e engine.Event) bool {
		if m.find(agent, url, e.Source, e.ID) != nil {
			return false
		}
		m.letters = append(m.letters, modelLetter{agent: agent, url: url, source: e.Source, id: e.ID, state: "waiting", since: m.now})
		return true
	}
	for _, p := range postings {
		for _, agent := range p.Agents {
			if add(agent, "", p.Event) {
				fresh++
				full = full || m.waiting(agent) > m.most.inbox || m.bytes() > m.most.bytes
			}
		}
		for _, to := range p.To {
			if add(to.Agent, to.URL, p.Event) {
				full = full || m.waiting("") > m.most.outbox || m.bytes() > m.most.bytes
			}
		}
	}
	if limited && full {
		m.letters = before
		return 0, true
	}
	return fresh, false
}

func (m *mailModel) handle(agent string, e engine.Event) {
	l := m.find(agent, "", e.Source, e.ID)
	if l == nil {
		m.letters = append(m.letters, modelLetter{agent: agent, source: e.Source, id: e.ID})
		l = &m.letters[len(m.letters)-1]
	}
	if l.state != "handled" {
		l.state, l.since, l.why = "handled", m.now, ""
	}
}

func (m *mailModel) settle(l *modelLetter, state engine.DeliveryState) {
	if l.state != "waiting" {
		return
	}
	if state == engine.UnwantedThere && !slices.ContainsFunc(m.letters, func(o modelLetter) bool {
		return o.source == l.source && o.id == l.id && (o.url == "" || o.state == "delivered" || o.state == "waiting" && (o.url != l.url || o.agent != l.agent))
	}) {
		state = engine.Undeliverable
	}
	l.state, l.since, l.why = string(state), m.now, "settled"
}

// resend moves a dead letter to the end.
func (m *mailModel) resend(letterID string) bool {
	i := slices.IndexFunc(m.letters, func(l modelLetter) bool { return l.letterID == letterID && l.state == "dead" })
	if i < 0 {
		return false
	}
	l := m.letters[i]
	l.state, l.since, l.why = "waiting", m.now, ""
	m.letters = append(slices.Delete(m.letters, i, i+1), l)
	return true
}

func (m *mailModel) prune(maxAge time.Duration) {
	m.letters = slices.DeleteFunc(m.letters, func(l modelLetter) bool { return l.ended() && l.since.Before(m.now.Add(-maxAge)) })
}

// lanes returns the expected result of Outbox.
func (m *mailModel) lanes(limit int) []string {
	out := []string{}
	n := map[string]int{}
	for _, l := range m.letters {
		lane := l.url + " " + l.agent + " " + l.source
		if l.url == "" || l.state != "waiting" || n[lane] == limit {
			continue
		}
		n[lane]++
		out = append(out, lane+" "+l.id)
	}
	return out
}

var (
	modelAgents = []string{"a/x", "a/y"}
	modelTo     = []engine.Destination{peer, webhook, other}
)

func drawPostings(rt *rapid.T) []engine.Envelope {
	out := make([]engine.Envelope, rapid.IntRange(1, 3).Draw(rt, "postings"))
	for i := range out {
		out[i].Event = drawEvent(rt)
		for _, agent := range modelAgents {
			if rapid.Bool().Draw(rt, "to "+agent) {
				out[i].Agents = append(out[i].Agents, agent)
			}
		}
		for _, to := range modelTo {
			if rapid.IntRange(0, 2).Draw(rt, "to "+to.URL+to.Agent) == 0 {
				out[i].To = append(out[i].To, to)
			}
		}
	}
	return out
}

func drawEvent(rt *rapid.T) engine.Event {
	return event(rapid.SampledFrom([]string{"s1", "s2"}).Draw(rt, "source"), strconv.Itoa(rapid.IntRange(0, 3).Draw(rt, "event")))
}

// TestMailAgainstAModel performs random operations (post, handle, settle, bury, resend, prune,
// restart) and compares every queue with a model after each.
func TestMailAgainstAModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ctx := context.Background()
		dir, err := os.MkdirTemp(t.TempDir(), "")
		require.NoError(rt, err)
		clock := newClock()
		opts := Options{Clock: clock, PruneEvery: 1000 * time.Hour, MaxAge: time.Hour, InboxMost: 4, OutboxMost: 6, MailBytes: 9 * bodyBytes(event("s1", "1"))}
		j, err := Open(ctx, dir, opts)
		require.NoError(rt, err)
		m := &mailModel{most: queueLimits{opts.InboxMost, opts.OutboxMost, opts.MailBytes}, now: day, used: map[string]bool{}}
		for step := range rapid.IntRange(1, 15).Draw(rt, "steps") {
			switch rapid.IntRange(0, 8).Draw(rt, "op") {
			case 0, 1, 2:
				p := drawPostings(rt)
				want, full := m.post(p, true)
				fresh, err := j.Enqueue(ctx, p)
				require.Equal(rt, want, fresh)
				if full {
					require.ErrorIs(rt, err, engine.ErrFull)
				} else {
					require.NoError(rt, err)
				}
			case 3:
				e, agent := drawEvent(rt), rapid.SampledFrom(modelAgents).Draw(rt, "agent")
				f := firingOf(fmt.Sprint("f-", step), day, 0)
				f.Agent, f.Trigger.Event = agent, &e
				if rapid.Bool().Draw(rt, "with notices") {
					f.Envelopes = drawPostings(rt)
				}
				require.NoError(rt, j.RecordFiring(ctx, f))
				m.post(f.Envelopes, false)
				m.handle(agent, e)
			case 4, 5:
				m.settleSome(rt, j)
			case 6:
				e, agent := drawEvent(rt), rapid.SampledFrom(modelAgents).Draw(rt, "agent")
				err := j.DeadLetter(ctx, agent, e, "poison")
				if l := m.find(agent, "", e.Source, e.ID); l == nil {
					require.ErrorIs(rt, err, ErrNotFound)
				} else {
					require.NoError(rt, err)
					if l.state == "waiting" {
						l.state, l.since, l.why = "dead", m.now, "poison"
					}
				}
			case 7:
				m.resendSome(rt, j)
			case 8:
				if rapid.Bool().Draw(rt, "restart") {
					require.NoError(rt, j.Close())
					j, err = Open(ctx, dir, opts)
					require.NoError(rt, err)
					break
				}
				d := time.Duration(rapid.IntRange(1, 50).Draw(rt, "minutes")) * time.Minute
				clock.Pass(d)
				m.now = m.now.Add(d)
				require.NoError(rt, j.Prune(ctx))
				m.prune(opts.MaxAge)
			}
			m.compare(rt, j, rapid.IntRange(-1, 2).Draw(rt, "limit"))
		}
		require.NoError(rt, j.Close())
		require.NoError(rt, os.RemoveAll(dir))
	})
}

func (m *mailModel) settleSome(rt *rapid.T, j *Journal) {
	var settled []engine.Ack
	for i := range m.letters {
		if l := &m.letters[i]; l.url != "" && l.letterID != "" && rapid.Bool().Draw(rt, "settle") {
			state := rapid.SampledFrom([]engine.DeliveryState{engine.Delivered, engine.UnwantedThere, engine.Undeliverable}).Draw(rt, "state")
			settled = append(settled, engine.Ack{ID: l.letterID, State: state, Why: "settled", At: m.now})
			m.settle(l, state)
		}
	}
	require.NoError(rt, j.Ack(context.Background(), settled))
}

func (m *mailModel) resendSome(rt *rapid.T, j *Journal) {
	var ids, want []string
	for _, l := range slices.Clone(m.letters) {
		if l.letterID != "" && rapid.IntRange(0, 2).Draw(rt, "resend") > 0 {
			ids = append(ids, l.letterID)
			if m.resend(l.letterID) {
				want = append(want, l.letterID)
			}
		}
	}
	found, err := j.Redeliver(context.Background(), append(ids, "in-12345", "nonsense"))
	require.NoError(rt, err)
	require.Equal(rt, want, found)
}

func (m *mailModel) compare(rt *rapid.T, j *Journal, limit int) {
	ctx := context.Background()
	for _, agent := range modelAgents {
		got, err := j.Inbox(ctx, agent, -1)
		require.NoError(rt, err)
		var want []engine.Event
		for _, l := range m.letters {
			if l.url == "" && l.agent == agent && l.state == "waiting" {
				want = append(want, event(l.source, l.id))
			}
		}
		require.Equal(rt, want, got, "inbox of %s", agent)
	}
	require.Equal(rt, m.lanes(limit), outboxOf(rt, j, limit))
	m.compareLetters(rt, j)
	m.compareBoxes(rt, j)
	soundCounts(rt, j)
}

// compareLetters compares the result of Letters, and stores the ids of new ones in the model.
func (m *mailModel) compareLetters(rt *rapid.T, j *Journal) {
	got, err := j.Messages(context.Background(), "", -1)
	require.NoError(rt, err)
	require.True(rt, slices.IsSortedFunc(got, func(a, b engine.Message) int { return a.Since.Compare(b.Since) }))
	listed := 0
	for _, l := range m.letters {
		if l.state == "waiting" || l.state == "dead" {
			listed++
		}
	}
	require.Len(rt, got, listed)
	for _, g := range got {
		l := m.find(g.Agent, g.To, g.Event.Source, g.Event.ID)
		require.NotNil(rt, l)
		box := l.state
		if box == "waiting" {
			box = map[bool]string{true: engine.BoxInbox, false: engine.BoxOutbox}[l.url == ""]
		}
		require.Equal(rt, []any{box, l.since, l.why, event(l.source, l.id)}, []any{g.Box, g.Since, g.Why, g.Event})
		if l.letterID == "" {
			require.False(rt, m.used[g.ID], "an id came back")
			require.True(rt, strings.HasPrefix(g.ID, map[bool]string{true: "in-", false: "out-"}[l.url == ""]))
			l.letterID, m.used[g.ID] = g.ID, true
		}
		require.Equal(rt, l.letterID, g.ID, "an id stays")
	}
}

func (m *mailModel) compareBoxes(rt *rapid.T, j *Journal) {
	var want engine.QueueDepths
	for _, l := range m.letters {
		switch {
		case l.state == "dead":
			want.Dead++
		case l.state == "waiting" && l.url == "":
			want.Inbox++
		case l.state == "waiting":
			want.Outbox++
		}
	}
	got, err := j.Depths(context.Background())
	require.NoError(rt, err)
	require.Equal(rt, want, got)
}
