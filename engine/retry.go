package engine

import (
	"errors"
	"time"
)

type retryError struct {
	err   error
	after time.Duration
}

func (e retryError) Error() string { return e.err.Error() }
func (e retryError) Unwrap() error { return e.err }

// RetryAfter is the least time to wait before the next try.
func (e retryError) RetryAfter() time.Duration { return e.after }

// RetryLater is Retry for an error that sets the least time before the next try.
func RetryLater(err error, after time.Duration) error {
	if err == nil {
		return nil
	}
	return retryError{err, after}
}

// Retry marks an error as temporary: a timeout, a 503.
func Retry(err error) error {
	if err == nil {
		return nil
	}
	return retryError{err: err}
}

// IsRetryable reports whether an error was marked by Retry or RetryLater.
func IsRetryable(err error) bool {
	var r retryError
	return errors.As(err, &r)
}

// Later is a temporary error that sets the least time before the next try.
type Later interface{ RetryAfter() time.Duration }
