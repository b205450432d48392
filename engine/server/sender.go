package server

import (
	"net/http"

	"github.com/scanflow-k8s/scanflow/engine"
)

// doorkeeper finds out who sends.
type doorkeeper struct {
	token    string // of the process; "" is none
	loopback bool
	senders  *Senders
}

// sender is who a request is from. A client's certificate, which TLS has verified,
// decides alone; then the token; and without either, over loopback, it is whoever may
// use the API. The text says what is wanted of one who is nobody.
func (d *doorkeeper) sender(r *http.Request) (from engine.Sender, why string) {
	operator := engine.Sender{Name: engine.OperatorSender}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		if from, ok := d.senders.withCertificate(r.TLS.PeerCertificates[0]); ok {
			return from, ""
		}
		return engine.Sender{}, "the client certificate is of no sender that --senders names"
	}
	if r.Header.Get("Authorization") == "" {
		if d.token == "" && open(r, d.loopback) {
			return operator, ""
		}
		return engine.Sender{}, "wants the bearer token or the client certificate of a sender that --senders names, or the token of --token-file"
	}
	shown := bearer(r)
	if d.token != "" && sameSecret(shown, d.token) {
		return operator, ""
	}
	if from, ok := d.senders.withToken(r.Context(), shown); ok {
		return from, ""
	}
	return engine.Sender{}, "the Authorization is of no sender that --senders names, and not the token of --token-file"
}

// known lets through who may send, and tells who that is.
func (d *doorkeeper) known(next func(http.ResponseWriter, *http.Request, engine.Sender)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if fromAnotherSite(r) {
			reply(w, http.StatusForbidden, failure{Error: "comes from a page of another site"})
			return
		}
		from, why := d.sender(r)
		if why != "" {
			unauthorized(w, why)
			return
		}
		next(w, r, from)
	}
}

// peers lets through who may use the API, and senders that are peers.
func (d *doorkeeper) peers(next http.HandlerFunc) http.HandlerFunc {
	return d.known(func(w http.ResponseWriter, r *http.Request, from engine.Sender) {
		if !from.Peer && from.Name != engine.OperatorSender {
			reply(w, http.StatusForbidden, failure{Error: "is for peers: senders that --senders names with `peer: true`"})
			return
		}
		next(w, r)
	})
}
