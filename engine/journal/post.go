package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine"
)

var _ engine.Queue = (*Journal)(nil)

// posting is one ready to be written.
type posting struct {
	engine.Envelope
	body []byte
}

// room is how much each box may hold, and how many bytes all of them.
type room struct {
	inbox, outbox int
	bytes         int64
}

// Post takes events over, all of them or none; see engine.Queue. The names of those that
// were handled and delivered are known for Options.MaxAge, and so are dead letters.
func (j *Journal) Enqueue(ctx context.Context, postings []engine.Envelope) (int, error) {
	fail := func(err error) (int, error) { return 0, fmt.Errorf("post %s: %w", postingsText(postings), err) }
	ready, err := encodePostings(postings)
	if err != nil {
		return fail(err)
	}
	for _, p := range ready {
		if int64(len(p.body)) > j.opts.MailBytes {
			return fail(fmt.Errorf("event %s has %d bytes, and all boxes hold %d: %w", engine.Echo(p.Event.ID), len(p.body), j.opts.MailBytes, engine.ErrTooLarge))
		}
	}
	if len(ready) == 0 {
		return 0, nil
	}
	most := room{j.opts.InboxMost, j.opts.OutboxMost, j.opts.MailBytes}
	at := nanos(j.opts.Clock.Now())
	fresh := 0
	if err := j.writer.do(ctx, func(ctx context.Context, s *store) error {
		var err error
		fresh, err = s.post(ctx, ready, at, &most)
		return err
	}); err != nil {
		return fail(err)
	}
	return fresh, nil
}

func postingsText(postings []engine.Envelope) string {
	if len(postings) == 1 {
		return eventText(&postings[0].Event)
	}
	return fmt.Sprintf("%d events", len(postings))
}

// eventText names an event to a person.
func eventText(e *engine.Event) string {
	return fmt.Sprintf("event %s of %s", engine.Echo(e.ID), engine.Echo(e.Source))
}

// encodePostings makes postings ready, or says all that is wrong with them.
func encodePostings(postings []engine.Envelope) ([]posting, error) {
	out := make([]posting, 0, len(postings))
	var errs []error
	for i, p := range postings {
		body, err := encodePosting(p)
		if err != nil {
			errs = append(errs, fmt.Errorf("event %d (%s of %s): %w", i+1, engine.Echo(p.Event.ID), engine.Echo(p.Event.Source), err))
			continue
		}
		out = append(out, posting{p, body})
	}
	return out, errors.Join(errs...)
}

func encodePosting(p engine.Envelope) ([]byte, error) {
	if p.Event.ID == "" || p.Event.Source == "" {
		return nil, errors.New("an event needs a source and an id")
	}
	for _, agent := range p.Agents {
		if agent == "" {
			return nil, errors.New("an inbox needs an agent")
		}
	}
	for _, to := range p.To {
		if to.URL == "" {
			return nil, errors.New("a destination needs a URL")
		}
	}
	return json.Marshal(p.Event)
}

// post puts events into their boxes, where they are not there yet, and returns how many
// inboxes got one. Without most there is always room.
func (s *store) post(ctx context.Context, postings []posting, at int64, most *room) (fresh int, err error) {
	for _, p := range postings {
		if err := s.hear(ctx, &p, at); err != nil {
			return 0, err
		}
		e := &p.Event
		for _, agent := range p.Agents {
			n, err := s.changed(ctx, `INSERT INTO inbox (seq, place, agent, source, id, state, since, body) VALUES (?1, ?1, ?, ?, ?, 'waiting', ?, ?)
				ON CONFLICT (source, id, agent) DO NOTHING`, s.boxes.next(), agent, e.Source, e.ID, at, p.body)
			if err != nil {
				return 0, err
			}
			fresh += int(n)
			s.boxes.put(agent, n, int64(len(p.body)))
			if held := s.boxes.waiting[agent]; n == 1 && most != nil && held > most.inbox {
				return 0, fmt.Errorf("%s: %d wait in the inbox of %s already: %w", eventText(e), held-1, agent, engine.ErrFull)
			}
			if err := s.boxes.over(&p, n, most); err != nil {
				return 0, err
			}
		}
		for _, to := range p.To {
			n, err := s.changed(ctx, `INSERT INTO outbox (seq, place, url, agent, source, id, state, since, body) VALUES (?1, ?1, ?, ?, ?, ?, 'waiting', ?, ?)
				ON CONFLICT (source, id, url, agent) DO NOTHING`, s.boxes.next(), to.URL, to.Agent, e.Source, e.ID, at, p.body)
			if err != nil {
				return 0, err
			}
			s.boxes.put(outbox, n, int64(len(p.body)))
			if held := s.boxes.waiting[outbox]; n == 1 && most != nil && held > most.outbox {
				return 0, fmt.Errorf("%s: %d wait in the outbox already: %w", eventText(e), held-1, engine.ErrFull)
			}
			if err := s.boxes.over(&p, n, most); err != nil {
				return 0, err
			}
			if err := s.replaced(ctx, e.Source, p.Replaces, to, at); err != nil {
				return 0, err
			}
		}
	}
	return fresh, nil
}

// replaced drops a call that waits, and that a newer one replaces.
func (s *store) replaced(ctx context.Context, source, id string, to engine.Destination, at int64) error {
	if id == "" {
		return nil
	}
	var bytes int64
	err := s.row(ctx, `SELECT octet_length(body) FROM outbox WHERE source = ? AND id = ? AND url = ? AND agent = ? AND state = 'waiting'`, []any{source, id, to.URL, to.Agent}, &bytes)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	n, err := s.changed(ctx, `UPDATE outbox SET state = 'dropped', since = ?, body = NULL WHERE source = ? AND id = ? AND url = ? AND agent = ? AND state = 'waiting'`, at, source, id, to.URL, to.Agent)
	s.boxes.gone(outbox, n, bytes)
	return err
}

// over is an engine.ErrFull where all boxes hold too much, with an event that has come
// just now (n is 1) or was there before.
func (b *boxes) over(p *posting, n int64, most *room) error {
	if n == 0 || most == nil || b.bytes <= most.bytes {
		return nil
	}
	return fmt.Errorf("%s: the inboxes and the outbox hold %d bytes of %d: %w", eventText(&p.Event), b.bytes-int64(len(p.body)), most.bytes, engine.ErrFull)
}
