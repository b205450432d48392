package server

import (
	"errors"
	"net/http"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Errors that an API function wraps to select the status. Other errors are internal.
var (
	// ErrBadRequest means that the request is invalid.
	ErrBadRequest = errors.New("bad request")
	// ErrNotFound means that the resource does not exist.
	ErrNotFound = errors.New("not found")
	// ErrConflict means that the request is too late, or that another one took effect first.
	ErrConflict = errors.New("conflict")
	// ErrUnavailable means that the same request may succeed later.
	ErrUnavailable = errors.New("unavailable")
)

// maxAPIBody bounds the body of a request to an API function, in bytes.
const maxAPIBody = 1 << 20

// apiHandler responds with the result of a function as JSON.
func apiHandler(pattern string, f func(*http.Request) (any, error), log hclog.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxAPIBody)
		v, err := f(r)
		if err == nil {
			replyJSON(w, http.StatusOK, v)
			return
		}
		code := http.StatusInternalServerError
		switch {
		case errors.Is(err, ErrBadRequest):
			code = http.StatusBadRequest
		case errors.Is(err, ErrNotFound):
			code = http.StatusNotFound
		case errors.Is(err, ErrConflict):
			code = http.StatusConflict
		case errors.Is(err, ErrUnavailable):
			code = http.StatusServiceUnavailable
			w.Header().Set("Retry-After", retryAfter)
			w.Header().Set("Connection", "close") // the next one may reach another replica
		default:
			log.Error("request failed", "request", pattern, "error", engine.Clip(err.Error()))
		}
		replyJSON(w, code, errorBody{Error: engine.Clip(err.Error())})
	}
}
