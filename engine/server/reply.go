package server

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// retryAfter is the header of that name, in seconds, where something may pass soon.
const retryAfter = "1"

// failure is the body of an answer that is no success.
type failure struct {
	Error string `json:"error"`
	// Mistakes are all that is wrong with what was sent.
	Mistakes []string `json:"mistakes,omitempty"`
}

func text(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = fmt.Fprintln(w, body)
}

func reply(w http.ResponseWriter, code int, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		code, raw = http.StatusInternalServerError, []byte(`{"error":"the answer can't be shown as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(raw, '\n'))
}
