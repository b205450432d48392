package ledger

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
)

// items is what a state holds as records of one item each, in the order in which
// they are to be read. They share what they point at with the state, which never
// changes it.
func (s *state) items() (out []batch) {
	for _, e := range slices.SortedFunc(maps.Values(s.acts), byOrder) {
		if !e.foreign {
			out = append(out, batch{Acts: []act{e.act}})
		}
	}
	for _, n := range s.notes {
		out = append(out, batch{Notes: []note{n}})
	}
	waiting, dead := s.mail.inOrder()
	for len(waiting) > 0 { // an event in several places is written once
		n := 1
		for n < len(waiting) && waiting[n].event == waiting[0].event {
			n++
		}
		var b batch
		for _, l := range waiting[:n] {
			b.Events = append(b.Events, l.posted())
		}
		out, waiting = append(out, b), waiting[n:]
	}
	for _, l := range dead {
		out = append(out, batch{Events: events{l.posted()}, Handled: []handled{l.settled()}})
	}
	for _, l := range s.mail.letters {
		if l.event == nil {
			out = append(out, batch{Handled: []handled{l.settled()}})
		}
	}
	for _, a := range slices.SortedFunc(maps.Values(s.approvals), func(a, b approval) int { return cmp.Compare(a.ID, b.ID) }) {
		out = append(out, batch{Approvals: []approval{a}})
	}
	for _, h := range slices.SortedFunc(maps.Values(s.alerts), byAlert) {
		out = append(out, batch{Alerts: []heard{h}})
	}
	return out
}

// join adds what another record says.
func (b *batch) join(o *batch) {
	b.Acts = append(b.Acts, o.Acts...)
	b.Notes = append(b.Notes, o.Notes...)
	b.Events = append(b.Events, o.Events...)
	b.Handled = append(b.Handled, o.Handled...)
	b.Approvals = append(b.Approvals, o.Approvals...)
	b.Alerts = append(b.Alerts, o.Alerts...)
}

// fold is items as records. Each is of so many bytes before it is compressed, or of
// one item.
func fold(items []batch, limit int) ([]string, error) {
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
		b.join(&items[i])
	}
	if bytes == 0 {
		return out, nil
	}
	return out, write()
}
