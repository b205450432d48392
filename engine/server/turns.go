package server

import (
	"errors"
	"fmt"
	"sync"
)

var (
	errTurns = errors.New("too many requests at once")
	errRoom  = errors.New("no room for what more requests bring")
)

// turns bounds how many requests of one sender are read and taken at once, and how many
// bytes the bodies of all requests take: of one sender at most half as many, so that one
// that is slow, or sends much, leaves room for the others.
type turns struct {
	each  int   // requests of one sender
	bytes int64 // of all

	mu   sync.Mutex
	used int64
	held map[string]*turn // by sender, all of its requests
}

// turn is what one sender holds.
type turn struct {
	requests int
	bytes    int64
}

// request is one of a sender's turns.
type request struct {
	of     *turns
	sender string
	bytes  int64
}

func newTurns(each int, bytes int64) *turns {
	return &turns{each: each, bytes: bytes, held: map[string]*turn{}}
}

// take is an error where the sender has as many turns as it may, or a body of so many
// bytes, -1 where that is not known, has no room now. Otherwise the request gives its
// turn back later.
func (t *turns) take(sender string, length int64) (*request, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	has := t.held[sender]
	if has == nil {
		has = &turn{}
	}
	if has.requests >= t.each {
		return nil, errTurns
	}
	if err := t.fits(has, length); err != nil {
		return nil, err
	}
	has.requests++
	t.held[sender] = has
	return &request{of: t, sender: sender}, nil
}

func (t *turns) fits(has *turn, more int64) error {
	switch {
	case t.used+more > t.bytes:
		return fmt.Errorf("%w: those under way hold %d of %d bytes", errRoom, t.used, t.bytes)
	case has.bytes+more > t.bytes/2:
		return fmt.Errorf("%w: those of this sender hold %d of %d bytes", errRoom, has.bytes, t.bytes/2)
	}
	return nil
}

// hold reserves bytes for the body. They are counted as they come: a sender that says
// much and sends little holds little.
func (r *request) hold(bytes int64) error {
	t := r.of
	t.mu.Lock()
	defer t.mu.Unlock()
	has := t.held[r.sender]
	if err := t.fits(has, bytes); err != nil {
		return err
	}
	t.used += bytes
	has.bytes += bytes
	r.bytes += bytes
	return nil
}

func (r *request) giveBack() {
	t := r.of
	t.mu.Lock()
	defer t.mu.Unlock()
	has := t.held[r.sender]
	t.used -= r.bytes
	has.bytes -= r.bytes
	if has.requests--; has.requests == 0 {
		delete(t.held, r.sender)
	}
}
