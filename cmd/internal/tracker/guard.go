package tracker

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
)

// Guard admits requests with the token (MLFLOW_TRACKING_TOKEN of MLflow's clients). Without a
// token it admits those over loopback whose Host is a loopback name, which excludes a web page
// whose own name was made to resolve to 127.0.0.1. /health and /version are open to all. A
// write from a page of another site is rejected, even with the token: a browser may add it.
func Guard(token string, loopback bool, next http.Handler) http.Handler {
	want := sha256.Sum256([]byte("Bearer " + token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		switch {
		case http.NewCrossOriginProtection().Check(r) != nil:
			refuse(w, &apiError{forbidden, "comes from a page of another site"})
			return
		case r.URL.Path == "/health" || r.URL.Path == "/version":
		case token != "" && subtle.ConstantTimeCompare(got[:], want[:]) == 1:
		case token == "" && loopback && loopbackHost(r.Host):
		case token == "":
			refuse(w, &apiError{forbidden, "closed beyond loopback: start the tracker with --token-file"})
			return
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="scanflow"`)
			refuse(w, &apiError{unauthorized, "wants the bearer token of --token-file, as MLFLOW_TRACKING_TOKEN"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, e *apiError) { reply(w, statuses[e.Code], e) }

func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
