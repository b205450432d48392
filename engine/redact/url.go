package redact

import (
	"errors"
	"net/url"
)

// URL returns an address without its user and its query: either may hold a secret.
func URL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(an unreadable address)"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// WithoutURL returns the cause of a request's error: net/http puts the address before it, with
// its query.
func WithoutURL(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
