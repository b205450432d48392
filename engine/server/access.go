package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
)

// isLocal reports whether a request needs no credential to read the API or to send events
// without --token-file: it comes over loopback and names a loopback host. The latter excludes
// a web page whose own host name was made to resolve to 127.0.0.1.
func isLocal(r *http.Request, loopback bool) bool { return loopback && isLoopbackHost(r.Host) }

func isLoopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// isCrossSite reports whether a browser sends a request that changes something for a page of
// another site. Such a page can reach a loopback address too.
func isCrossSite(r *http.Request) bool {
	return http.NewCrossOriginProtection().Check(r) != nil
}

// bearerToken returns the bearer token of a request; "" if there is none.
func bearerToken(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// equalSecrets compares in constant time.
func equalSecrets(shown, secret string) bool {
	a, b := sha256.Sum256([]byte(shown)), sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
