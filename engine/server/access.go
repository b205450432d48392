package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
)

// open reports whether a request needs no credential to see the API, or to send, where
// there is no --token-file: it comes over loopback and names a loopback host (a page in a
// browser that was made to resolve its own name to 127.0.0.1 does not).
func open(r *http.Request, loopback bool) bool { return loopback && loopbackHost(r.Host) }

func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// fromAnotherSite reports whether a browser sends a request that changes something on
// behalf of a page of elsewhere: it would reach an open loopback address too.
func fromAnotherSite(r *http.Request) bool {
	return http.NewCrossOriginProtection().Check(r) != nil
}

// bearer is the token that a request shows, "" for none.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// sameSecret compares in a time that says nothing of either.
func sameSecret(shown, secret string) bool {
	a, b := sha256.Sum256([]byte(shown)), sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
