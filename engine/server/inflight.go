package server

import (
	"errors"
	"fmt"
	"sync"
)

var (
	errTooManyRequests = errors.New("too many requests at once")
	errTooManyBytes    = errors.New("no room for what more requests bring")
)

// inflightLimiter bounds the concurrent requests of each sender, and the total size of all
// bodies. One sender may use half of that size, so that a slow one, or one that sends much,
// leaves room for the others.
type inflightLimiter struct {
	maxRequests int   // per sender
	maxBytes    int64 // of all senders

	mu      sync.Mutex
	used    int64
	senders map[string]*senderUsage // by name
}

// senderUsage counts the requests of one sender and their bytes.
type senderUsage struct {
	requests int
	bytes    int64
}

// inflightRequest is one request in flight.
type inflightRequest struct {
	limiter *inflightLimiter
	sender  string
	bytes   int64
}

func newInflightLimiter(each int, bytes int64) *inflightLimiter {
	return &inflightLimiter{maxRequests: each, maxBytes: bytes, senders: map[string]*senderUsage{}}
}

// acquire admits a request. It is an error if the sender has too many requests, or there is no
// room for a body of a length, -1 if unknown. The caller must release the request.
func (t *inflightLimiter) acquire(sender string, length int64) (*inflightRequest, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	usage := t.senders[sender]
	if usage == nil {
		usage = &senderUsage{}
	}
	if usage.requests >= t.maxRequests {
		return nil, errTooManyRequests
	}
	if err := t.check(usage, length); err != nil {
		return nil, err
	}
	usage.requests++
	t.senders[sender] = usage
	return &inflightRequest{limiter: t, sender: sender}, nil
}

func (t *inflightLimiter) check(usage *senderUsage, more int64) error {
	switch {
	case t.used+more > t.maxBytes:
		return fmt.Errorf("%w: those under way hold %d of %d bytes", errTooManyBytes, t.used, t.maxBytes)
	case usage.bytes+more > t.maxBytes/2:
		return fmt.Errorf("%w: those of this sender hold %d of %d bytes", errTooManyBytes, usage.bytes, t.maxBytes/2)
	}
	return nil
}

// reserve counts bytes of the body as they are read, so that the announced length of a slow
// sender takes no room.
func (r *inflightRequest) reserve(bytes int64) error {
	t := r.limiter
	t.mu.Lock()
	defer t.mu.Unlock()
	usage := t.senders[r.sender]
	if err := t.check(usage, bytes); err != nil {
		return err
	}
	t.used += bytes
	usage.bytes += bytes
	r.bytes += bytes
	return nil
}

func (r *inflightRequest) release() {
	t := r.limiter
	t.mu.Lock()
	defer t.mu.Unlock()
	usage := t.senders[r.sender]
	t.used -= r.bytes
	usage.bytes -= r.bytes
	if usage.requests--; usage.requests == 0 {
		delete(t.senders, r.sender)
	}
}
