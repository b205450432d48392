package ledger

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// adopt moves all that another log holds into this one, and removes it. Cut off in
// between it begins again with the next Open: taking a record in twice changes
// nothing, and nothing is handled before Open returned.
func (l *Ledger) adopt(ctx context.Context, name string) error {
	if name == l.o.Name {
		return fmt.Errorf("it is this log's own name")
	}
	segments, err := l.store.segments(ctx, name)
	if err != nil {
		return fmt.Errorf("list its segments: %w", err)
	}
	if _, err := l.store.get(ctx, name); err == nil {
		if err := l.moveIn(ctx, name); err != nil {
			return err
		}
		if err := l.store.remove(ctx, name); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("remove its head: %w", err)
		}
	} else if !apierrors.IsNotFound(err) {
		return fmt.Errorf("read its head: %w", err)
	}
	l.litter = append(l.litter, segments...) // the head went first: nobody reads them any more
	return nil
}

func (l *Ledger) moveIn(ctx context.Context, name string) error {
	head, err := l.takeHead(ctx, name)
	if err != nil {
		return err
	}
	other, err := l.takeOver(ctx, head)
	if err != nil {
		return err
	}
	other.without(l.state)
	records, err := fold(other.items(), l.o.SegmentBytes)
	if err != nil {
		return err
	}
	for record := range slices.Values(records) {
		b, err := unpack(record)
		if err != nil {
			return err
		}
		if err := l.append(ctx, []string{record}, nil); err != nil {
			return fmt.Errorf("write what it holds: %w", err)
		}
		l.state.take(b)
	}
	l.o.Log.Info("took over the ledger of a shard that is no more", "ledger", l.o.Name, "from", name, "acts", len(other.acts), "letters", len(other.mail.letters), "approvals", len(other.approvals))
	return nil
}

// without leaves out what the log that takes this one over knows better. What was
// handled or delivered here is not to be done again there, and stays.
func (s *state) without(mine *state) {
	for k, n := range s.notes {
		if its, have := mine.notes[k]; have && its.At >= n.At {
			delete(s.notes, k)
		}
	}
	for k, l := range s.mail.letters {
		if mine.mail.known(k) && l.fate != took {
			s.mail.forget(l)
		}
	}
	for id := range mine.approvals {
		delete(s.approvals, id)
	}
	for k := range mine.alerts { // the numbers of two logs have no order
		delete(s.alerts, k)
	}
}
