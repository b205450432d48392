package ledger

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// adopt moves the records of another log into this one, and deletes it. If it is interrupted,
// the next Open repeats it: applying a record twice changes nothing, and nothing is handled
// before Open has returned.
func (l *Ledger) adopt(ctx context.Context, name string) error {
	if name == l.o.Name {
		return fmt.Errorf("it is this log's own name")
	}
	segments, err := l.store.segments(ctx, name)
	if err != nil {
		return fmt.Errorf("list its segments: %w", err)
	}
	if _, err := l.store.get(ctx, name); err == nil {
		if err := l.moveRecords(ctx, name); err != nil {
			return err
		}
		if err := l.store.remove(ctx, name); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("remove its head: %w", err)
		}
	} else if !apierrors.IsNotFound(err) {
		return fmt.Errorf("read its head: %w", err)
	}
	l.garbage = append(l.garbage, segments...) // the head is deleted, so nobody reads them
	return nil
}

func (l *Ledger) moveRecords(ctx context.Context, name string) error {
	head, err := l.claimHead(ctx, name)
	if err != nil {
		return err
	}
	other, err := l.takeOver(ctx, head)
	if err != nil {
		return err
	}
	other.dropSuperseded(l.state)
	records, err := packItems(other.items(), l.o.SegmentBytes)
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
		l.state.apply(b)
	}
	l.o.Log.Info("took over the ledger of a shard that is no more", "ledger", l.o.Name, "from", name, "acts", len(other.acts), "letters", len(other.queues.messages), "approvals", len(other.approvals))
	return nil
}

// dropSuperseded drops what the adopting log has a newer version of. What was handled or
// delivered here stays, so that it is not done again there.
func (s *state) dropSuperseded(mine *state) {
	for k, n := range s.notes {
		if its, have := mine.notes[k]; have && its.At >= n.At {
			delete(s.notes, k)
		}
	}
	for k, m := range s.queues.messages {
		if mine.queues.known(k) && m.fate != fateHandled {
			s.queues.forget(m)
		}
	}
	for id := range mine.approvals {
		delete(s.approvals, id)
	}
	for k := range mine.alerts { // the numbers of two logs can't be compared
		delete(s.alerts, k)
	}
}
