package server

import "net/http"

// refuseOwnAgents refuses requests of agents of this installation or of a peer, on every path
// and with every method except for health and metrics.
func (a *authenticator) refuseOwnAgents(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz", "/readyz", "/metrics":
			next.ServeHTTP(w, r)
			return
		}
		if _, ours := a.installation.FromAgent(r); ours {
			a.refusals.refuse(w, r, refusal{reasonAgent, "an agent of this installation or of a peer may not use its API; it sends an event without a url to reach other agents"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refuseAllAgents refuses requests of agents of any installation.
func (a *authenticator) refuseAllAgents(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if agent, _ := a.installation.FromAgent(r); agent {
			a.refusals.refuse(w, r, refusal{reasonAgent, "no agent answers for a person, of whichever installation it is"})
			return
		}
		next.ServeHTTP(w, r)
	})
}
