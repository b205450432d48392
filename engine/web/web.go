// Package web says what may be shown of an address and of a failed request: no user,
// no query, since either may hold a secret. It sends nothing.
package web

import (
	"errors"
	"net/url"
)

// Shown is an address without userinfo and query.
func Shown(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(an unreadable address)"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// Cause is what went wrong with a request, without the address that net/http puts
// into its errors, query and all.
func Cause(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
