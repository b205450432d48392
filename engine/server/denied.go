package server

import (
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/backoff"
	"github.com/scanflow-k8s/scanflow/engine/installation"
)

// reason is why a request is refused, as the metric has it.
type reason string

const (
	missingCredential reason = "credential_missing"
	unknownCredential reason = "credential_unknown"
	missingRight      reason = "right_missing"
	closed            reason = "closed" // beyond loopback, without any credential set
	anotherSite       reason = "another_site"
	ofAgent           reason = "agent"
)

// reasons are all of them.
var reasons = []reason{missingCredential, unknownCredential, missingRight, closed, anotherSite, ofAgent}

// denied is an answer to one who may not.
type denied struct {
	reason reason
	why    string // for whoever made the request; no secret
}

const (
	// patience is how many refusals of a minute a remote host gets at once. Each further
	// one is delayed.
	patience = 10
	// mostDelayed bounds the answers that wait, over all hosts; more are not delayed, so
	// that they hold no memory.
	mostDelayed = 32
)

// delay holds back the refusals beyond patience.
var delay = backoff.Exponential{First: 50 * time.Millisecond, Most: time.Second}

// refusals counts what is refused, logs it, and slows it.
type refusals struct {
	count func(reason string)
	clock engine.Clock
	log   hclog.Logger
	seen  *refusedHosts
	slots chan struct{}
	// ended is closed once the server ends, and nothing is held back any more.
	ended   chan struct{}
	release func()
}

func newRefusals(o Options) *refusals {
	count := o.Refused
	if count == nil {
		count = func(string) {}
	}
	ended := make(chan struct{})
	return &refusals{
		count: count, clock: o.Clock, log: o.Log, seen: newRefusedHosts(), slots: make(chan struct{}, mostDelayed),
		ended: ended, release: sync.OnceFunc(func() { close(ended) }),
	}
}

// refuse answers. Nothing that the request showed is logged. One with a good credential
// that may not do this is not slowed.
func (f *refusals) refuse(w http.ResponseWriter, r *http.Request, no denied) {
	f.count(string(no.reason))
	host := remoteHost(r.RemoteAddr)
	n, line, before := f.seen.note(host, no.reason, f.clock.Now())
	if line {
		more := []any{"reason", string(no.reason), "remote", host, "why", no.why}
		if before > 0 {
			more = append(more, "refused_since_last_line", before)
		}
		f.log.Warn("a request is refused", more...)
	}
	if n > patience && no.reason != missingRight {
		f.wait(r, delay.After(n-patience))
	}
	code := http.StatusForbidden
	switch no.reason {
	case missingCredential, unknownCredential:
		code = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", `Bearer realm="scanflow"`)
	case ofAgent:
		w.Header().Set(installation.RefusedHeader, "agent")
	}
	reply(w, code, failure{Error: no.why})
}

// wait holds an answer back, where there is room for one that waits.
func (f *refusals) wait(r *http.Request, d time.Duration) {
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	default:
		return
	}
	over, giveBack := f.clock.Timer(d)
	defer giveBack()
	select {
	case <-over:
	case <-f.ended:
	case <-r.Context().Done():
	}
}
