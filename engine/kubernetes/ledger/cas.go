package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/scanflow-k8s/scanflow/engine/backoff"
)

const firstRetry = 100 * time.Millisecond

var retry = backoff.Exponential{First: firstRetry, Most: 2 * time.Second}

// errMoved: an earlier write to the object, which was in doubt, turns out to have
// landed. The object is as that write left it, and the new one must be made again.
var errMoved = errors.New("an earlier write has landed")

// doubt is a write that was sent, whose answer was lost, and that could not be read
// back. At most one of those to an object can land, as all of them go out from the
// same resourceVersion; a later write that lands from there kills them all.
type doubt struct {
	spec spec
	late func() // called once it turns out to have landed
}

func (o *object) settle(sp spec, version string) {
	o.spec, o.version, o.doubts = sp, version, nil
}

// update makes an object what next says, if nobody else changed it. What it returns
// is certain, but for ErrUnknown: then late is called if it turns out to have landed.
//
//	nil           it has landed
//	errMoved      it has not; make it again
//	ErrUnknown    it may
//	ErrDeposed    another writes the log now, and has read whatever landed of ours
//	any other     it has not, and never will
func (l *Ledger) update(ctx context.Context, o *object, next spec, late func()) error {
	l.seq++
	next.Writer, next.Seq = l.writer, l.seq
	unknown := false
	for failures := 1; ; failures++ {
		version, err := l.store.update(ctx, o, next)
		if err == nil {
			o.settle(next, version)
			return nil
		}
		gone, mine := apierrors.IsNotFound(err) || apierrors.IsConflict(err), lost(err)
		unknown = unknown || mine
		if !gone && !mine && !unknown {
			return err
		}
		switch again, resolved := l.readBack(ctx, o, next, unknown); {
		case !again && resolved == nil || errors.Is(resolved, errMoved):
			return resolved
		case !again:
			if unknown && errors.Is(resolved, errUnread) {
				o.doubts = append(o.doubts, doubt{next, late})
				return fmt.Errorf("%w: %w", ErrUnknown, err)
			}
			return resolved
		}
		if !l.sleep(ctx, retry.After(failures)) {
			if !unknown {
				return fmt.Errorf("%w: %w", context.Cause(ctx), err)
			}
			o.doubts = append(o.doubts, doubt{next, late})
			return fmt.Errorf("%w: %w", ErrUnknown, err)
		}
	}
}

// errUnread: the object could not be read back.
var errUnread = errors.New("could not be read back")

// readBack finds out what became of a write that did not simply succeed. It says to
// send the very same again where nothing has landed.
func (l *Ledger) readBack(ctx context.Context, o *object, next spec, unknown bool) (again bool, err error) {
	got, err := l.store.get(ctx, o.name)
	switch {
	case apierrors.IsNotFound(err):
		return false, l.fall(deposed(l.o.Name, ""))
	case err != nil && unknown:
		return false, fmt.Errorf("%w: %w", errUnread, err)
	case err != nil:
		return false, err
	case got.uid != o.uid:
		return false, l.fall(deposed(l.o.Name, got.spec.Writer))
	case got.spec.Writer == next.Writer && got.spec.Seq == next.Seq:
		o.settle(got.spec, got.version)
		if got.spec.Sealed && !next.Sealed {
			return false, l.fall(deposed(l.o.Name, ""))
		}
		return false, nil
	}
	for _, d := range o.doubts {
		if got.spec.Writer == d.spec.Writer && got.spec.Seq == d.spec.Seq {
			o.settle(got.spec, got.version)
			if d.late != nil {
				d.late()
			}
			if got.spec.Sealed && !d.spec.Sealed {
				return false, l.fall(deposed(l.o.Name, ""))
			}
			return false, errMoved
		}
	}
	if got.spec.Writer != o.spec.Writer || got.spec.Seq != o.spec.Seq || got.spec.Sealed != o.spec.Sealed {
		return false, l.fall(deposed(l.o.Name, other(got.spec.Writer, l.writer)))
	}
	if got.version != o.version { // a label, an annotation: ours still, and whatever was in doubt has missed its version
		o.version, o.doubts = got.version, nil
	}
	return true, nil
}

func other(writer, me string) string {
	if writer == me {
		return ""
	}
	return writer
}

// create makes an object that nobody refers to yet, under a name that is this
// writer's alone: whatever is there by that name is ours.
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
		if !l.sleep(ctx, retry.After(failures)) {
			return nil, err
		}
	}
}

func (l *Ledger) sleep(ctx context.Context, d time.Duration) bool {
	wake, stop := l.o.Clock.Timer(d)
	defer stop()
	select {
	case <-wake:
		return true
	case <-ctx.Done():
		return false
	}
}
