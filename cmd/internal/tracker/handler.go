package tracker

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// mlflowVersion is the release whose REST API the tracker follows; the part after the plus
// shows that it is not that release.
const mlflowVersion = "2.22.0+scanflow"

// requestTimeout bounds a request in the database, including its wait for earlier ones.
const requestTimeout = 30 * time.Second

// Handler serves the API. It authorizes nobody: see Guard.
func (t *Tracker) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { patiently(w, r, stall, t.serve) })
}

func (t *Tracker) serve(w http.ResponseWriter, r *http.Request) {
	if err := t.answer(w, r); err != nil {
		answer := publicError(err)
		if answer.Code == internalError {
			t.opts.Log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		reply(w, statuses[answer.Code], answer)
	}
}

func (t *Tracker) answer(w http.ResponseWriter, r *http.Request) error {
	switch r.URL.Path {
	case "/health":
		text(w, "OK")
		return nil
	case "/version":
		text(w, mlflowVersion)
		return nil
	}
	api, ok := strings.CutPrefix(r.URL.Path, "/api/2.0")
	if !ok {
		api, ok = strings.CutPrefix(r.URL.Path, "/ajax-api/2.0")
	}
	if ok {
		if rest, ok := strings.CutPrefix(api, "/mlflow-artifacts/artifacts"); ok && (rest == "" || rest[0] == '/') {
			return t.serveArtifact(w, r, strings.TrimPrefix(rest, "/"))
		}
		if rest, ok := strings.CutPrefix(api, "/mlflow"); ok {
			return t.serveRoute(w, r, rest)
		}
	}
	return &apiError{noEndpoint, "there is no " + shorten(r.URL.Path) + " here: clients take this server's address without a path"}
}

func (t *Tracker) serveRoute(w http.ResponseWriter, r *http.Request, path string) error {
	known := false
	for _, c := range routes {
		if c.path != path {
			continue
		}
		known = true
		if !slices.Contains(c.methods, r.Method) {
			continue
		}
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		answer, err := c.answer(t, r.WithContext(ctx))
		if err != nil {
			return err
		}
		reply(w, http.StatusOK, answer)
		return nil
	}
	if known {
		return &apiError{noEndpoint, r.Method + " is not for " + path}
	}
	return &apiError{noEndpoint, "this tracker has no " + shorten(path) + ": it answers a part of MLflow's API; take MLflow for the rest"}
}

func text(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(body))
}

// reply writes indented JSON, as MLflow does.
func reply(w http.ResponseWriter, status int, v any) {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{"error_code": "INTERNAL_ERROR", "message": "the answer can't be shown as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n'))
}
