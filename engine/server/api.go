package server

import (
	"errors"
	"net/http"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
)

// What an API function wraps to say whose fault an error is. Any other is the
// server's own.
var (
	// ErrBadRequest is a request at fault.
	ErrBadRequest = errors.New("bad request")
	// ErrNotFound is a request for what is not there.
	ErrNotFound = errors.New("not found")
	// ErrConflict is a request that comes too late, or that another has made vain.
	ErrConflict = errors.New("conflict")
	// ErrUnavailable is what may pass: the same request may do later.
	ErrUnavailable = errors.New("unavailable")
)

// apiBody bounds the body of a request to an API function, in bytes.
const apiBody = 1 << 20

// api answers with what a function returns.
func api(pattern string, answer func(*http.Request) (any, error), log hclog.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, apiBody)
		v, err := answer(r)
		if err == nil {
			reply(w, http.StatusOK, v)
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
		reply(w, code, failure{Error: engine.Clip(err.Error())})
	}
}
