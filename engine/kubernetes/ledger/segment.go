package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// append writes records to the end of the log, all or none. Its errors are those of update.
func (l *Ledger) append(ctx context.Context, records []string, onLanded func()) error {
	size := 0
	for _, r := range records {
		size += len(r) + 4
	}
	if c := l.current; c == nil || c.size() > objectOverhead && (c.size() >= l.o.SegmentBytes || c.size()+size > l.o.MaxObjectBytes) {
		if err := l.roll(ctx); err != nil {
			return err
		}
	}
	next := l.current.spec
	next.Records = slices.Concat(next.Records, records)
	return l.update(ctx, l.current, next, onLanded)
}

// roll starts a new segment. If there are many, it first compacts them into bases. The new
// objects do not count until the one update of the head that lists them in place of the old.
func (l *Ledger) roll(ctx context.Context) error {
	if c := l.current; c != nil && len(c.uncertain) > 0 { // exclude that an uncertain write lands there
		sealed := c.spec
		sealed.Sealed = true
		if err := l.update(ctx, c, sealed, nil); err != nil {
			return fmt.Errorf("seal a segment: %w", err)
		}
	}
	next := l.head.spec
	var old []string
	if len(next.Segments)-next.Bases >= max(l.o.CompactAfter, next.Bases) {
		bases, err := l.writeBases(ctx)
		switch {
		case errors.Is(err, apiclient.ErrDeposed):
			return err
		case err != nil:
			l.o.Log.Warn("the ledger could not be compacted, and grows", "ledger", l.o.Name, "segments", len(next.Segments), "error", err)
		default:
			old, next.Segments, next.Bases = next.Segments, bases, len(bases)
		}
	}
	fresh, err := l.create(ctx, l.segment(), spec{})
	if err != nil {
		return fmt.Errorf("begin a segment: %w", err)
	}
	next.Segments = append(slices.Clone(next.Segments), fresh.name)
	listed := func() {
		l.current = fresh
		l.garbage = append(l.garbage, old...)
	}
	if err := l.update(ctx, l.head, next, listed); err != nil {
		return fmt.Errorf("list a segment: %w", err)
	}
	listed()
	l.collectGarbage(ctx)
	return nil
}

// segment returns a new segment, whose name no other writer uses.
func (l *Ledger) segment() *object {
	l.made++
	return &object{name: fmt.Sprintf("%s-%d-%d-%s", l.o.Name, l.term, l.made, l.writer[len(l.writer)-6:]), labels: l.labels(partSegment)}
}

func (l *Ledger) labels(part string) map[string]string {
	return map[string]string{labelInstall: l.o.Install, labelLog: l.o.Name, labelPart: part, "app.kubernetes.io/managed-by": "scanflow"}
}

// writeBases writes the current state as new segments, which the head does not list yet.
func (l *Ledger) writeBases(ctx context.Context) (names []string, err error) {
	l.mu.Lock()
	l.prune()
	items := l.state.items()
	l.mu.Unlock()
	records, err := packItems(items, l.o.SegmentBytes)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			l.garbage = append(l.garbage, names...)
		}
	}()
	for len(records) > 0 {
		n, size := 1, len(records[0])
		for n < len(records) && size+len(records[n])+objectOverhead <= l.o.SegmentBytes {
			size += len(records[n])
			n++
		}
		o := l.segment()
		names = append(names, o.name)
		if _, err := l.create(ctx, o, spec{Sealed: true, Records: records[:n]}); err != nil {
			return names, fmt.Errorf("write a base: %w", err)
		}
		records = records[n:]
	}
	return names, nil
}

// collectGarbage deletes segments that the head does not list. What can't be deleted now is
// deleted later, or by the next writer.
func (l *Ledger) collectGarbage(ctx context.Context) {
	l.garbage = slices.DeleteFunc(l.garbage, func(name string) bool {
		err := l.store.remove(ctx, name)
		if err != nil && !apierrors.IsNotFound(err) {
			l.o.Log.Debug("an old segment stays for now", "segment", name, "error", err)
			return false
		}
		return true
	})
}
