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

// doorkeeper finds out who makes a request, and whether they may.
type doorkeeper struct {
	token     *Token // of --token-file; nil is none
	userToken *Token // of the data folder; nil is none
	user      string // whom it stands for
	loopback  bool
	senders   *Senders
	here      *installation.Installation
	refusals  *refusals
	log       hclog.Logger
}

// caller is who makes a request. A client's certificate, which TLS has verified, decides
// alone; then the token; and without either, over loopback and where there is no
// --token-file, it is whoever is on this machine, who may not answer for a person. The
// error says what is wanted of one who is nobody.
func (d *doorkeeper) caller(r *http.Request, right Right) (Caller, *denied) {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		if who, ok := d.senders.withCertificate(r.TLS.PeerCertificates[0]); ok {
			return who, nil
		}
		return Caller{}, &denied{unknownCredential, "the client certificate is of no sender that --senders names"}
	}
	if r.Header.Get("Authorization") == "" {
		if d.token == nil && open(r, d.loopback) && right != Answer {
			return Caller{Sender: engine.Sender{Name: engine.OperatorSender}, rights: Rights{Read, Send}}, nil
		}
		return Caller{}, d.missing(right)
	}
	shown := bearer(r)
	declared, whole := d.senders.withToken(r.Context(), shown), d.token.is(shown)
	switch {
	case len(declared) > 1:
		return Caller{}, &denied{unknownCredential, fmt.Sprintf("%s and %s have the same token by now, and can't be told apart; change one", declared[0].Name, declared[1].Name)}
	case len(declared) == 1:
		var err error
		if whole {
			err = errors.New("give the sender a token of its own, and --token-file another")
		}
		d.senders.tell(declared[0].Name, "the token of a sender is that of --token-file by now; whoever shows it is that sender, and no more", err)
		return declared[0], nil
	case whole:
		return operator(""), nil
	case d.userToken.is(shown):
		return operator(d.user + " (OS user, claimed)"), nil
	}
	if right == Read && d.token == nil && d.userToken == nil && d.senders == nil { // no token is
		return Caller{}, d.missing(right)
	}
	return Caller{}, &denied{unknownCredential, "the token is not known here; this " + d.wants(right)}
}

// missing refuses a request without a credential.
func (d *doorkeeper) missing(right Right) *denied {
	if right == Read && d.token == nil {
		return &denied{closed, "closed beyond loopback: start scanflow with --token-file, or show a credential that may read"}
	}
	return &denied{missingCredential, d.wants(right)}
}

// wants says which credentials have a right.
func (d *doorkeeper) wants(right Right) string {
	var ways []string
	if d.senders.mayAny(right) {
		ways = append(ways, "the bearer token or the client certificate of a sender that --senders gives the right to "+string(right))
	}
	if d.token != nil {
		ways = append(ways, "the bearer token of --token-file")
	}
	if d.userToken != nil {
		ways = append(ways, "the token in the file `token` of its --data folder")
	}
	if len(ways) == 0 {
		return fmt.Sprintf("wants a credential with the right to %s, and there is none: start scanflow with --token-file (on Kubernetes, of a Secret that is mounted), or with a sender in --senders that has `rights: [%s]`", right, right)
	}
	return "wants " + strings.Join(ways, ", or ")
}

// admits lets through who has a right, and says who that is.
func (d *doorkeeper) admits(right Right, next func(http.ResponseWriter, *http.Request, Caller)) http.HandlerFunc {
	return d.lets(right, func(who Caller) bool { return who.rights.has(right) }, next)
}

// peers lets through who may see the API, and senders that are peers.
func (d *doorkeeper) peers(next http.HandlerFunc) http.HandlerFunc {
	return d.lets(Read, func(who Caller) bool { return who.Peer || who.rights.has(Read) }, func(w http.ResponseWriter, r *http.Request, who Caller) {
		d.introduce(w, r, who)
		next(w, r)
	})
}

func (d *doorkeeper) lets(right Right, may func(Caller) bool, next func(http.ResponseWriter, *http.Request, Caller)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if fromAnotherSite(r) {
			d.refusals.refuse(w, r, denied{anotherSite, "comes from a page of another site"})
			return
		}
		who, no := d.caller(r, right)
		switch {
		case no != nil:
			d.refusals.refuse(w, r, *no)
		case !may(who):
			d.refusals.refuse(w, r, denied{missingRight, fmt.Sprintf("%s has no right to %s: it has %s, by --senders", who.Name, right, who.rights)})
		default:
			next(w, r, who)
		}
	}
}

// introduce learns the id of a peer's installation, whose agents may not use this API,
// and says this one's.
func (d *doorkeeper) introduce(w http.ResponseWriter, r *http.Request, who Caller) {
	id := r.Header.Get(installation.PeerHeader)
	if id == "" || d.here == nil || !who.Peer && who.Name != engine.OperatorSender {
		return
	}
	if err := d.here.AddPeerID(who.Name, id); err != nil {
		d.log.Error("a peer is known until the next start only", "error", err)
	}
	w.Header().Set(installation.PeerHeader, d.here.ID())
}
