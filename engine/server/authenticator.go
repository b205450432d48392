package server

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/installation"
)

// authenticator determines the caller of a request and whether it is allowed.
type authenticator struct {
	token        *Token // of --token-file; nil if unset
	userToken    *Token // of the data folder; nil if unset
	user         string // the OS user of userToken
	loopback     bool
	senders      *Senders
	installation *installation.Installation
	refusals     *refuser
	log          hclog.Logger
}

// authenticate returns the caller of a request. If there is a client certificate, verified by
// TLS, only that counts; else the token. Without either, a local request without --token-file
// is from any user of this machine, who has all rights but Answer. The refusal says which
// credentials are accepted.
func (a *authenticator) authenticate(r *http.Request, right Right) (Caller, *refusal) {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		if who, ok := a.senders.byCertificate(r.TLS.PeerCertificates[0]); ok {
			return who, nil
		}
		return Caller{}, &refusal{reasonUnknownCredential, "the client certificate is of no sender that --senders names"}
	}
	if r.Header.Get("Authorization") == "" {
		if a.token == nil && isLocal(r, a.loopback) && right != Answer {
			return Caller{Sender: engine.Sender{Name: engine.OperatorSender}, rights: Rights{Read, Send}}, nil
		}
		return Caller{}, a.refuseAnonymous(right)
	}
	shown := bearerToken(r)
	senders, isOperator := a.senders.byToken(r.Context(), shown), a.token.matches(shown)
	switch {
	case len(senders) > 1:
		return Caller{}, &refusal{reasonUnknownCredential, fmt.Sprintf("%s and %s have the same token by now, and can't be told apart; change one", senders[0].Name, senders[1].Name)}
	case len(senders) == 1:
		var err error
		if isOperator {
			err = errors.New("give the sender a token of its own, and --token-file another")
		}
		a.senders.logOnce(senders[0].Name, "the token of a sender is that of --token-file by now; whoever shows it is that sender, and no more", err)
		return senders[0], nil
	case isOperator:
		return operator(""), nil
	case a.userToken.matches(shown):
		return operator(a.user + " (OS user, claimed)"), nil
	}
	if right == Read && a.token == nil && a.userToken == nil && a.senders == nil { // no token is valid
		return Caller{}, a.refuseAnonymous(right)
	}
	return Caller{}, &refusal{reasonUnknownCredential, "the token is not known here; this " + a.acceptedCredentials(right)}
}

// refuseAnonymous is the refusal of a request without a credential.
func (a *authenticator) refuseAnonymous(right Right) *refusal {
	if right == Read && a.token == nil {
		return &refusal{reasonClosed, "closed beyond loopback: start scanflow with --token-file, or show a credential that may read"}
	}
	return &refusal{reasonMissingCredential, a.acceptedCredentials(right)}
}

// acceptedCredentials describes the credentials with a right.
func (a *authenticator) acceptedCredentials(right Right) string {
	var ways []string
	if a.senders.anyHas(right) {
		ways = append(ways, "the bearer token or the client certificate of a sender that --senders gives the right to "+string(right))
	}
	if a.token != nil {
		ways = append(ways, "the bearer token of --token-file")
	}
	if a.userToken != nil {
		ways = append(ways, "the token in the file `token` of its --data folder")
	}
	if len(ways) == 0 {
		return fmt.Sprintf("wants a credential with the right to %s, and there is none: start scanflow with --token-file (on Kubernetes, of a Secret that is mounted), or with a sender in --senders that has `rights: [%s]`", right, right)
	}
	return "wants " + strings.Join(ways, ", or ")
}

// require calls next if the caller has a right.
func (a *authenticator) require(right Right, next func(http.ResponseWriter, *http.Request, Caller)) http.HandlerFunc {
	return a.authorize(right, func(who Caller) bool { return who.rights.has(right) }, next)
}

// requirePeerOrRead calls next if the caller is a peer or may read the API.
func (a *authenticator) requirePeerOrRead(next http.HandlerFunc) http.HandlerFunc {
	return a.authorize(Read, func(who Caller) bool { return who.Peer || who.rights.has(Read) }, func(w http.ResponseWriter, r *http.Request, who Caller) {
		a.exchangeInstallationIDs(w, r, who)
		next(w, r)
	})
}

func (a *authenticator) authorize(right Right, allowed func(Caller) bool, next func(http.ResponseWriter, *http.Request, Caller)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if isCrossSite(r) {
			a.refusals.refuse(w, r, refusal{reasonCrossSite, "comes from a page of another site"})
			return
		}
		caller, denied := a.authenticate(r, right)
		switch {
		case denied != nil:
			a.refusals.refuse(w, r, *denied)
		case !allowed(caller):
			a.refusals.refuse(w, r, refusal{reasonMissingRight, fmt.Sprintf("%s has no right to %s: it has %s, by --senders", caller.Name, right, caller.rights)})
		default:
			next(w, r, caller)
		}
	}
}

// exchangeInstallationIDs stores the id of a peer's installation, whose agents may not use
// this API, and sends the id of this one.
func (a *authenticator) exchangeInstallationIDs(w http.ResponseWriter, r *http.Request, who Caller) {
	id := r.Header.Get(installation.PeerHeader)
	if id == "" || a.installation == nil || !who.Peer && who.Name != engine.OperatorSender {
		return
	}
	if err := a.installation.AddPeerID(who.Name, id); err != nil {
		a.log.Error("a peer is known until the next start only", "error", err)
	}
	w.Header().Set(installation.PeerHeader, a.installation.ID())
}
