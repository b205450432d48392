package server

import (
	"net/http"
	"regexp"
	"strconv"
)

// origins are the DNS expressions by which a sender of webhooks names itself.
var origins = regexp.MustCompile(`^[A-Za-z0-9_*]([A-Za-z0-9_.*-]{0,251}[A-Za-z0-9_])?(:[0-9]{1,5})?$`)

// handshake answers a sender that asks whether it may send here, before it does
// (CloudEvents' "HTTP 1.1 Web Hooks for Event Delivery", section 4). Who may send may ask:
// to answer anybody else would have a stranger's sender deliver what is then refused.
// A callback that it offers is never called, since it may be any address; the answer is
// given at once, which is as good.
func handshake(w http.ResponseWriter, r *http.Request, _ Caller) {
	w.Header().Set("Allow", "POST, OPTIONS")
	origin, asks := r.Header["Webhook-Request-Origin"]
	rate, wants := r.Header["Webhook-Request-Rate"]
	switch {
	case !asks && !wants: // of any other kind: it hears what is allowed
		w.WriteHeader(http.StatusOK)
		return
	case len(origin) != 1 || !origins.MatchString(origin[0]):
		reply(w, http.StatusBadRequest, failure{Error: "WebHook-Request-Origin: wants one DNS name, of the sender"})
		return
	case wants && (len(rate) != 1 || !positive(rate[0])):
		reply(w, http.StatusBadRequest, failure{Error: "WebHook-Request-Rate: wants one whole number of requests a minute, above 0"})
		return
	}
	w.Header().Set("WebHook-Allowed-Origin", origin[0])
	w.Header().Set("WebHook-Allowed-Rate", "*") // what is too much at once is a 503
	w.WriteHeader(http.StatusOK)
}

func positive(text string) bool {
	n, err := strconv.ParseUint(text, 10, 31)
	return err == nil && n > 0
}
