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

// refusalReason is why a request is refused, as a value of the metric.
type refusalReason string

const (
	reasonMissingCredential refusalReason = "credential_missing"
	reasonUnknownCredential refusalReason = "credential_unknown"
	reasonMissingRight      refusalReason = "right_missing"
	reasonClosed            refusalReason = "closed" // not over loopback, and no credential is configured
	reasonCrossSite         refusalReason = "another_site"
	reasonAgent             refusalReason = "agent"
)

var refusalReasons = []refusalReason{reasonMissingCredential, reasonUnknownCredential, reasonMissingRight, reasonClosed, reasonCrossSite, reasonAgent}

// refusal is the response to a request that is not allowed.
type refusal struct {
	reason  refusalReason
	message string // for the client; contains no secret
}

const (
	// patience is the number of refusals per minute that a remote host gets without a delay.
	patience = 10
	// mostDelayed bounds the answers that wait, over all hosts; more are not delayed, so
	// that they hold no memory.
	mostDelayed = 32
)

// delay holds back the refusals beyond patience.
var delay = backoff.Exponential{First: 50 * time.Millisecond, Most: time.Second}

// refuser responds to refused requests. It counts and logs them, and delays the responses.
type refuser struct {
	count func(reason string)
	clock engine.Clock
	log   hclog.Logger
	hosts *refusedHosts
	slots chan struct{}
	// ended is closed when the server shuts down, which ends all delays.
	ended   chan struct{}
	release func()
}

func newRefuser(o Options) *refuser {
	count := o.Refused
	if count == nil {
		count = func(string) {}
	}
	ended := make(chan struct{})
	return &refuser{
		count: count, clock: o.Clock, log: o.Log, hosts: newRefusedHosts(), slots: make(chan struct{}, mostDelayed),
		ended: ended, release: sync.OnceFunc(func() { close(ended) }),
	}
}

// refuse sends the response. It logs nothing of the credentials in the request. A client with
// a valid credential that lacks the right is not delayed.
func (f *refuser) refuse(w http.ResponseWriter, r *http.Request, no refusal) {
	f.count(string(no.reason))
	host := remoteHost(r.RemoteAddr)
	n, line, before := f.hosts.record(host, no.reason, f.clock.Now())
	if line {
		more := []any{"reason", string(no.reason), "remote", host, "why", no.message}
		if before > 0 {
			more = append(more, "refused_since_last_line", before)
		}
		f.log.Warn("a request is refused", more...)
	}
	if n > patience && no.reason != reasonMissingRight {
		f.wait(r, delay.After(n-patience))
	}
	code := http.StatusForbidden
	switch no.reason {
	case reasonMissingCredential, reasonUnknownCredential:
		code = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", `Bearer realm="scanflow"`)
	case reasonAgent:
		w.Header().Set(installation.RefusedHeader, "agent")
	}
	replyJSON(w, code, errorBody{Error: no.message})
}

// wait holds an answer back, where there is room for one that waits.
func (f *refuser) wait(r *http.Request, d time.Duration) {
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
