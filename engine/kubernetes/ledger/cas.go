package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/backoff"
)

const firstRetry = 100 * time.Millisecond

var retry = backoff.Exponential{First: firstRetry, Most: 2 * time.Second}

// errEarlierLanded means that an earlier, uncertain write to the object turns out to have
// landed. The object is as that write left it, and the new write must be built again.
var errEarlierLanded = errors.New("an earlier write has landed")

// uncertainWrite is a write whose answer was lost and that could not be read back. At most one
// of those to an object can land, since all start from the same resourceVersion. A later write
// that lands from there excludes them all.
type uncertainWrite struct {
	spec     spec
	onLanded func() // called if it turns out to have landed
}

func (o *object) setTo(sp spec, version string) {
	o.spec, o.version, o.uncertain = sp, version, nil
}

// update changes an object to next, unless another process changed it. The result is certain,
// except for ErrUnknown, after which onLanded is called if the write turns out to have landed:
//
//	nil               it has landed
//	errEarlierLanded  it has not; build it again
//	ErrUnknown        it may have
//	ErrDeposed        another process is the writer, and has read whatever landed of ours
//	any other         it has not, and never will
func (l *Ledger) update(ctx context.Context, o *object, next spec, onLanded func()) error {
	l.seq++
	next.Writer, next.Seq = l.writer, l.seq
	unknown := false
	for failures := 1; ; failures++ {
		version, err := l.store.update(ctx, o, next)
		if err == nil {
			o.setTo(next, version)
			return nil
		}
		gone, mine := apierrors.IsNotFound(err) || apierrors.IsConflict(err), lost(err)
		unknown = unknown || mine
		if !gone && !mine && !unknown {
			return err
		}
		switch again, resolved := l.readBack(ctx, o, next, unknown); {
		case !again && resolved == nil || errors.Is(resolved, errEarlierLanded):
			return resolved
		case !again:
			if unknown && errors.Is(resolved, errUnread) {
				o.uncertain = append(o.uncertain, uncertainWrite{next, onLanded})
				return fmt.Errorf("%w: %w", ErrUnknown, err)
			}
			return resolved
		}
		if !engine.Sleep(ctx, l.o.Clock, retry.After(failures)) {
			if !unknown {
				return fmt.Errorf("%w: %w", context.Cause(ctx), err)
			}
			o.uncertain = append(o.uncertain, uncertainWrite{next, onLanded})
			return fmt.Errorf("%w: %w", ErrUnknown, err)
		}
	}
}

// errUnread means that the object could not be read back.
var errUnread = errors.New("could not be read back")

// readBack finds out what became of a write that did not simply succeed. If nothing has
// landed, again is true, and the same write is sent once more.
func (l *Ledger) readBack(ctx context.Context, o *object, next spec, unknown bool) (again bool, err error) {
	got, err := l.store.get(ctx, o.name)
	switch {
	case apierrors.IsNotFound(err):
		return false, l.setDeposed(deposed(l.o.Name, ""))
	case err != nil && unknown:
		return false, fmt.Errorf("%w: %w", errUnread, err)
	case err != nil:
		return false, err
	case got.uid != o.uid:
		return false, l.setDeposed(deposed(l.o.Name, got.spec.Writer))
	case got.spec.Writer == next.Writer && got.spec.Seq == next.Seq:
		o.setTo(got.spec, got.version)
		if got.spec.Sealed && !next.Sealed {
			return false, l.setDeposed(deposed(l.o.Name, ""))
		}
		return false, nil
	}
	for _, d := range o.uncertain {
		if got.spec.Writer == d.spec.Writer && got.spec.Seq == d.spec.Seq {
			o.setTo(got.spec, got.version)
			if d.onLanded != nil {
				d.onLanded()
			}
			if got.spec.Sealed && !d.spec.Sealed {
				return false, l.setDeposed(deposed(l.o.Name, ""))
			}
			return false, errEarlierLanded
		}
	}
	if got.spec.Writer != o.spec.Writer || got.spec.Seq != o.spec.Seq || got.spec.Sealed != o.spec.Sealed {
		return false, l.setDeposed(deposed(l.o.Name, other(got.spec.Writer, l.writer)))
	}
	if got.version != o.version { // a label or an annotation changed, so no uncertain write can land any more
		o.version, o.uncertain = got.version, nil
	}
	return true, nil
}

func other(writer, me string) string {
	if writer == me {
		return ""
	}
	return writer
}

// create creates an object that the head does not list yet. Its name is unique to this writer,
// so an object of that name is ours.
func (l *Ledger) create(ctx context.Context, o *object, sp spec) (*object, error) {
	l.seq++
	sp.Writer, sp.Seq, sp.Term = l.writer, l.seq, l.term
	for failures := 1; ; failures++ {
		made, err := l.store.create(ctx, o, sp)
		switch {
		case err == nil:
			return made, nil
		case !lost(err) && !apierrors.IsAlreadyExists(err):
			return nil, err
		}
		if made, readErr := l.store.get(ctx, o.name); readErr == nil {
			return made, nil
		} else if !lost(readErr) && !apierrors.IsNotFound(readErr) {
			return nil, readErr
		}
		if !engine.Sleep(ctx, l.o.Clock, retry.After(failures)) {
			return nil, err
		}
	}
}
