package ledger

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// Open becomes the writer of the log, reads it, and starts the writing goroutine. From then
// on every write of the earlier writer fails with apiclient.ErrDeposed, and all that it wrote
// before has been read. ctx bounds the opening, not the ledger's life. A temporary error is
// marked as such; *apiclient.MissingKindError means that the custom resource definition is
// not installed.
func Open(ctx context.Context, o Options) (*Ledger, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	l, err := open(ctx, o)
	if err != nil {
		return nil, apiclient.Classify(fmt.Errorf("open ledger %s in %s: %w", o.Name, o.Namespace, err))
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	go l.loop(run)
	return l, nil
}

func open(ctx context.Context, o Options) (*Ledger, error) {
	if _, err := o.Client.Kinds.Find(APIVersion, Kind); err != nil {
		return nil, err
	}
	st, err := newStore(&o)
	if err != nil {
		return nil, err
	}
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, fmt.Errorf("draw a writer's name: %w", err)
	}
	l := &Ledger{
		o: o, store: st, writer: o.Writer + "_" + hex.EncodeToString(random[:]),
		wake: make(chan struct{}, 1), urgent: make(chan struct{}, 1), closing: make(chan struct{}), lost: make(chan struct{}), done: make(chan struct{}),
	}
	if l.head, err = l.claimHead(ctx, o.Name); err != nil {
		return nil, err
	}
	l.term = l.head.spec.Term
	if l.state, err = l.takeOver(ctx, l.head); err != nil {
		return nil, l.unlessDeposed(ctx, err)
	}
	if err := l.findGarbage(ctx); err != nil {
		return nil, err
	}
	for _, name := range o.Adopt {
		if err := l.adopt(ctx, name); err != nil {
			return nil, fmt.Errorf("adopt ledger %s: %w", name, err)
		}
	}
	if err := l.readPeers(ctx); err != nil {
		return nil, err
	}
	l.prune()
	l.collectGarbage(ctx)
	return l, nil
}

// claimHead makes this process the only one that may list segments.
func (l *Ledger) claimHead(ctx context.Context, name string) (*object, error) {
	for {
		head, err := l.store.get(ctx, name)
		l.seq++
		next := spec{Writer: l.writer, Seq: l.seq}
		switch {
		case apierrors.IsNotFound(err):
			// The time makes the terms of a log that was deleted smaller than those of a
			// new one of its name.
			next.Term = l.o.Clock.Now().UnixMilli()
			head = &object{name: name, labels: l.labels(partHead)}
			if head, err = l.store.create(ctx, head, next); err == nil {
				return head, nil
			}
		case err != nil:
			return nil, fmt.Errorf("read its head: %w", err)
		case head.spec.Writer == l.writer: // the answer was lost, the write was not
			return head, nil
		default:
			next.Term, next.Segments, next.Bases = head.spec.Term+1, head.spec.Segments, head.spec.Bases
			if name == l.o.Name {
				head.labels = l.labels(partHead)
			}
			var version string
			if version, err = l.store.update(ctx, head, next); err == nil {
				head.setTo(next, version)
				return head, nil
			}
		}
		if !lost(err) && !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("take its head: %w", err)
		}
		if !engine.Sleep(ctx, l.o.Clock, firstRetry) {
			return nil, fmt.Errorf("take its head: %w", err)
		}
	}
}

// unlessDeposed returns the error of reading the log, or ErrDeposed if another process has
// become the writer meanwhile, which may have compacted the segments.
func (l *Ledger) unlessDeposed(ctx context.Context, err error) error {
	if head, readErr := l.store.get(ctx, l.o.Name); readErr == nil && head.spec.Writer != l.writer {
		return deposed(l.o.Name, head.spec.Writer)
	}
	return err
}

// takeOver seals the segment that the earlier writer may still append to, and reads the log.
func (l *Ledger) takeOver(ctx context.Context, head *object) (*state, error) {
	if n := len(head.spec.Segments); n > 0 {
		if err := l.seal(ctx, head.spec.Segments[n-1]); err != nil {
			return nil, err
		}
	}
	return l.read(ctx, head)
}

func (l *Ledger) seal(ctx context.Context, name string) error {
	for {
		o, err := l.store.get(ctx, name)
		switch {
		case apierrors.IsNotFound(err):
			return missing(name)
		case err != nil:
			return fmt.Errorf("read segment %s: %w", name, err)
		case o.spec.Sealed:
			return nil
		}
		sealed := o.spec
		sealed.Sealed = true
		_, err = l.store.update(ctx, o, sealed)
		switch {
		case err == nil:
			return nil
		case apierrors.IsConflict(err): // the earlier writer was faster: read it again
		case !lost(err) || !engine.Sleep(ctx, l.o.Clock, firstRetry):
			return fmt.Errorf("seal segment %s: %w", name, err)
		}
	}
}

func missing(name string) error {
	return fmt.Errorf("its segment %s is missing: what it held is lost; restore it from a backup, or delete the log's Ledger objects to begin a new one", name)
}

// read reads the segments that a head lists.
func (l *Ledger) read(ctx context.Context, head *object) (*state, error) {
	s := newState()
	for _, name := range head.spec.Segments {
		o, err := l.store.get(ctx, name)
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("%w: %w", err, missing(name))
		}
		if err != nil {
			return nil, fmt.Errorf("read segment %s: %w", name, err)
		}
		for i, record := range o.spec.Records {
			b, err := unpack(record)
			if err != nil {
				return nil, fmt.Errorf("segment %s, record %d: %w; restore it from a backup, or delete the log's Ledger objects to begin a new one", name, i, err)
			}
			s.apply(b)
		}
	}
	return s, nil
}

// findGarbage finds segments of earlier writers that the head does not list. Segments of
// later writers are not touched, as this process may have been deposed.
func (l *Ledger) findGarbage(ctx context.Context) error {
	names, err := l.store.segments(ctx, l.o.Name)
	if err != nil {
		return fmt.Errorf("list its segments: %w", err)
	}
	for _, name := range names {
		parts := strings.Split(name, "-")
		if len(parts) < 4 || slices.Contains(l.head.spec.Segments, name) {
			continue
		}
		if term, err := strconv.ParseInt(parts[len(parts)-3], 10, 64); err == nil && term < l.term {
			l.garbage = append(l.garbage, name)
		}
	}
	return nil
}

// readPeers merges what the install's other logs have about targets that are owned here.
func (l *Ledger) readPeers(ctx context.Context) error {
	heads, err := l.store.heads(ctx, l.o.Install)
	if err != nil {
		return fmt.Errorf("list the install's other logs: %w", err)
	}
	for _, head := range heads {
		if head.name == l.o.Name {
			continue
		}
		other, err := l.readPeer(ctx, head)
		if err != nil {
			return fmt.Errorf("read ledger %s: %w", head.name, err)
		}
		if other != nil {
			l.state.mergePeer(other, head.name, l.o.Owns)
		}
	}
	return nil
}

// readPeer reads a log that its writer may be compacting: a missing segment is in the bases
// that the head lists by then. It returns nil where the log was deleted.
func (l *Ledger) readPeer(ctx context.Context, head *object) (*state, error) {
	for {
		s, err := l.read(ctx, head)
		if !apierrors.IsNotFound(err) {
			return s, err
		}
		now, readErr := l.store.get(ctx, head.name)
		switch {
		case apierrors.IsNotFound(readErr):
			return nil, nil
		case readErr != nil:
			return nil, readErr
		case now.version == head.version:
			return nil, err
		}
		head = now
	}
}
