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
	for k, n := range other.notes {
		if mine, have := l.state.notes[k]; have && mine.At >= n.At {
			delete(other.notes, k)
		}
	}
	records, err := other.fold(l.o.SegmentBytes)
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
	l.o.Log.Info("took over the ledger of a shard that is no more", "ledger", l.o.Name, "from", name, "acts", len(other.acts), "events", len(other.waiting))
	return nil
}
