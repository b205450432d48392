package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// append writes records to the end of the log, all or none. Its errors are those of
// update.
func (l *Ledger) append(ctx context.Context, records []string, late func()) error {
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
	return l.update(ctx, l.current, next, late)
}

// roll begins a new segment. With many behind it, all are first folded into bases.
// Until the head lists them, the new objects are litter; the one update of the head
// puts them in place of the old ones.
func (l *Ledger) roll(ctx context.Context) error {
	if c := l.current; c != nil && len(c.doubts) > 0 { // nothing may land there any more
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
		l.litter = append(l.litter, old...)
	}
	if err := l.update(ctx, l.head, next, listed); err != nil {
		return fmt.Errorf("list a segment: %w", err)
	}
	listed()
	l.sweep(ctx)
	return nil
}

// segment is a new one by name, which no other writer ever uses.
func (l *Ledger) segment() *object {
	l.made++
	return &object{name: fmt.Sprintf("%s-%d-%d-%s", l.o.Name, l.term, l.made, l.writer[len(l.writer)-6:]), labels: l.labels(partSegment)}
}

func (l *Ledger) labels(part string) map[string]string {
	return map[string]string{labelInstall: l.o.Install, labelLog: l.o.Name, labelPart: part, "app.kubernetes.io/managed-by": "scanflow"}
}

// writeBases writes what is still needed as new segments, which nobody lists yet.
func (l *Ledger) writeBases(ctx context.Context) (names []string, err error) {
	l.mu.Lock()
	l.prune()
	items := l.state.items()
	l.mu.Unlock()
	records, err := fold(items, l.o.SegmentBytes)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			l.litter = append(l.litter, names...)
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

// sweep removes segments that nobody lists any more. What it can't remove now, a
// later one or the next writer does.
func (l *Ledger) sweep(ctx context.Context) {
	l.litter = slices.DeleteFunc(l.litter, func(name string) bool {
		err := l.store.remove(ctx, name)
		if err != nil && !apierrors.IsNotFound(err) {
			l.o.Log.Debug("an old segment stays for now", "segment", name, "error", err)
			return false
		}
		return true
	})
}
