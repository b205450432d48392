package server

import "net/http"

// keepsAgentsOut refuses what an agent of this installation or of a peer has sent, on
// every path and by every method; health and metrics are open to all.
func (d *doorkeeper) keepsAgentsOut(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz", "/readyz", "/metrics":
			next.ServeHTTP(w, r)
			return
		}
		if _, ours := d.here.FromAgent(r); ours {
			d.refusals.refuse(w, r, denied{ofAgent, "an agent of this installation or of a peer may not use its API; it sends an event without a url to reach other agents"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// persons refuses what an agent of any installation has sent.
func (d *doorkeeper) persons(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if agent, _ := d.here.FromAgent(r); agent {
			d.refusals.refuse(w, r, denied{ofAgent, "no agent answers for a person, of whichever installation it is"})
			return
		}
		next.ServeHTTP(w, r)
	})
}
