package ledger

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
)

// items returns the state as records of one item each, in an order in which they can be
// applied. They share values with the state, which never changes those.
func (s *state) items() (out []batch) {
	for _, e := range slices.SortedFunc(maps.Values(s.acts), byOrder) {
		if !e.ofPeer {
			out = append(out, batch{Acts: []act{e.act}})
		}
	}
	for _, n := range s.notes {
		out = append(out, batch{Notes: []note{n}})
	}
	waiting, dead := s.queues.inOrder()
	for len(waiting) > 0 { // an event in several boxes is written once
		n := 1
		for n < len(waiting) && waiting[n].event == waiting[0].event {
			n++
		}
		var b batch
		for _, m := range waiting[:n] {
			b.Events = append(b.Events, m.posted())
		}
		out, waiting = append(out, b), waiting[n:]
	}
	for _, m := range dead {
		out = append(out, batch{Events: events{m.posted()}, Handled: []handled{m.settled()}})
	}
	for _, m := range s.queues.messages {
		if m.event == nil {
			out = append(out, batch{Handled: []handled{m.settled()}})
		}
	}
	for _, a := range slices.SortedFunc(maps.Values(s.approvals), func(a, b approval) int { return cmp.Compare(a.ID, b.ID) }) {
		out = append(out, batch{Approvals: []approval{a}})
	}
	for _, h := range slices.SortedFunc(maps.Values(s.alerts), byAlert) {
		out = append(out, batch{Alerts: []alertRecord{h}})
	}
	return out
}

// append adds the items of another record.
func (b *batch) append(o *batch) {
	b.Acts = append(b.Acts, o.Acts...)
	b.Notes = append(b.Notes, o.Notes...)
	b.Events = append(b.Events, o.Events...)
	b.Handled = append(b.Handled, o.Handled...)
	b.Approvals = append(b.Approvals, o.Approvals...)
	b.Alerts = append(b.Alerts, o.Alerts...)
}

// packItems packs items into records of about limit bytes before compression, with one item
// at least.
func packItems(items []batch, limit int) ([]string, error) {
	var (
		out   []string
		b     batch
		bytes int
	)
	write := func() error {
		record, _, err := encode(&b)
		out, b, bytes = append(out, record), batch{}, 0
		return err
	}
	for i := range items {
		raw, err := json.Marshal(&items[i])
		if err != nil {
			return nil, err
		}
		if bytes > 0 && bytes+len(raw) > limit {
			if err := write(); err != nil {
				return nil, err
			}
		}
		bytes += len(raw)
		b.append(&items[i])
	}
	if bytes == 0 {
		return out, nil
	}
	return out, write()
}
