package server

import (
	"net/http"
	"regexp"
	"strconv"
)

// origins matches the DNS expressions with which senders of webhooks identify themselves.
var origins = regexp.MustCompile(`^[A-Za-z0-9_*]([A-Za-z0-9_.*-]{0,251}[A-Za-z0-9_])?(:[0-9]{1,5})?$`)

// handshake responds to a sender that asks for permission to send (CloudEvents' "HTTP 1.1 Web
// Hooks for Event Delivery", section 4). Only authorized senders get permission: others would
// send events that are then refused. A callback in the request is never called, since it may
// be any address. Responding immediately serves the same purpose.
func handshake(w http.ResponseWriter, r *http.Request, _ Caller) {
	w.Header().Set("Allow", "POST, OPTIONS")
	origin, hasOrigin := r.Header["Webhook-Request-Origin"]
	rate, hasRate := r.Header["Webhook-Request-Rate"]
	switch {
	case !hasOrigin && !hasRate: // a plain OPTIONS request
		w.WriteHeader(http.StatusOK)
		return
	case len(origin) != 1 || !origins.MatchString(origin[0]):
		replyJSON(w, http.StatusBadRequest, errorBody{Error: "WebHook-Request-Origin: wants one DNS name, of the sender"})
		return
	case hasRate && (len(rate) != 1 || !positive(rate[0])):
		replyJSON(w, http.StatusBadRequest, errorBody{Error: "WebHook-Request-Rate: wants one whole number of requests a minute, above 0"})
		return
	}
	w.Header().Set("WebHook-Allowed-Origin", origin[0])
	w.Header().Set("WebHook-Allowed-Rate", "*") // excessive load gets a 503
	w.WriteHeader(http.StatusOK)
}

func positive(text string) bool {
	n, err := strconv.ParseUint(text, 10, 31)
	return err == nil && n > 0
}
