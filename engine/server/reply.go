package server

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// retryAfter is the Retry-After header, in seconds, of temporary errors.
const retryAfter = "1"

// errorBody is the body of an error response.
type errorBody struct {
	Error string `json:"error"`
	// Mistakes are all mistakes in the request.
	Mistakes []string `json:"mistakes,omitempty"`
}

func replyText(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = fmt.Fprintln(w, body)
}

func replyJSON(w http.ResponseWriter, code int, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		code, raw = http.StatusInternalServerError, []byte(`{"error":"the answer can't be shown as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(raw, '\n'))
}
