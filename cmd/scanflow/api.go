package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/peers"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/redact"
	"github.com/scanflow-k8s/scanflow/engine/server"
)

// readAPI returns the handlers of the paths that authorized readers may get.
func readAPI(a *app.App) map[string]func(*http.Request) (any, error) {
	return map[string]func(*http.Request) (any, error){
		"/v1/agents":    func(*http.Request) (any, error) { return a.Agents(), nil },
		"/v1/election":  func(*http.Request) (any, error) { return electionOf(a) },
		"/v1/policies":  func(*http.Request) (any, error) { return policyStatus(a), nil },
		"/v1/decisions": func(r *http.Request) (any, error) { return decisionsOf(a, r) },
		previewPath:     func(r *http.Request) (any, error) { return previewOf(a, r) },
		"/v1/status":    func(r *http.Request) (any, error) { return statusOf(a, r) },
		"/v1/problems":  func(r *http.Request) (any, error) { return problemsOf(a, r) },
		"/v1/names":     func(r *http.Request) (any, error) { return namesOf(r.Context(), a) },
		"/v1/claims":    func(*http.Request) (any, error) { return httpResult(a.AllClaims()) },
		"/v1/approvals": func(r *http.Request) (any, error) { return approvalsOf(a, r) },
		"/v1/events":    func(r *http.Request) (any, error) { return messagesOf(a, r) },

		"/v1/decisions/{firing}/{index}":          func(r *http.Request) (any, error) { return decisionOf(a, r) },
		"/v1/decisions/{firing}/{index}/document": func(r *http.Request) (any, error) { return documentOf(a, r) },

		"/v1/workflows":                        func(*http.Request) (any, error) { return httpResult(workflowsOf(a)) },
		"/v1/workflows/{namespace}/{name}":     func(r *http.Request) (any, error) { return httpResult(workflowOf(a, r)) },
		"/v1/workflows/{namespace}/{name}/log": func(r *http.Request) (any, error) { return httpResult(logOf(a, r)) },
	}
}

// actionAPI returns the handlers of the paths that act on behalf of a user.
func actionAPI(a *app.App) map[string]func(*http.Request, server.Caller) (any, error) {
	return map[string]func(*http.Request, server.Caller) (any, error){
		"/v1/approvals/{id}/approve": func(r *http.Request, who server.Caller) (any, error) { return decideApproval(a, r, who, true) },
		"/v1/approvals/{id}/deny":    func(r *http.Request, who server.Caller) (any, error) { return decideApproval(a, r, who, false) },
		"/v1/events/resend":          func(r *http.Request, _ server.Caller) (any, error) { return resend(a, r) },
		"/v1/workflows/{namespace}/{name}/cancel": func(r *http.Request, who server.Caller) (any, error) {
			return httpResult(cancelWorkflow(a, r, who))
		},
	}
}

// peerAPI returns the handlers of the paths that peers may get.
func peerAPI(a *app.App) map[string]func(*http.Request) (any, error) {
	return map[string]func(*http.Request) (any, error){
		peers.ClaimsPath: func(*http.Request) (any, error) { return httpResult(a.Claims()) },
	}
}

// httpResult wraps errors of the app in the errors that the server maps to status codes.
func httpResult[T any](v T, err error) (any, error) {
	switch {
	case errors.Is(err, app.ErrStandsBy):
		return nil, fmt.Errorf("%w: %w", server.ErrUnavailable, err)
	case errors.Is(err, engine.ErrNoApproval):
		return nil, fmt.Errorf("%w: %w; `scanflow approvals` lists them", server.ErrNotFound, err)
	case errors.Is(err, workflow.ErrUnknownRun):
		return nil, fmt.Errorf("%w: %w; `scanflow workflows` lists them", server.ErrNotFound, err)
	case errors.Is(err, workflow.ErrUnknownStep), errors.Is(err, app.ErrArgos), errors.Is(err, app.ErrNoWorkflows):
		return nil, fmt.Errorf("%w: %w", server.ErrNotFound, err)
	case errors.Is(err, journal.ErrNotFound):
		return nil, fmt.Errorf("%w: %w; `scanflow decisions` lists them", server.ErrNotFound, err)
	case errors.Is(err, engine.ErrApprovalState):
		return nil, fmt.Errorf("%w: %w", server.ErrConflict, err)
	}
	return v, err
}

func badRequest(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", server.ErrBadRequest, what, err)
}

// maxLimit is the greatest limit of a request.
const maxLimit = 10000

// limitOf returns the limit of a request; 100 by default.
func limitOf(r *http.Request) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return 100, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, fmt.Errorf("%w: limit: %q is no number from 1 to %d", server.ErrBadRequest, text, maxLimit)
	}
	return n, nil
}

func approvalsOf(a *app.App, r *http.Request) (any, error) {
	q := r.URL.Query()
	since, err := parseTime(q.Get("since"), time.Now(), time.UTC)
	if err != nil {
		return nil, badRequest("since", err)
	}
	if since.IsZero() {
		since = time.Unix(0, 1<<62)
	}
	agent, err := agentOfQuery(r, a)
	if err != nil {
		return nil, err
	}
	list, err := a.Approvals(r.Context(), agent, since)
	return httpResult(append([]engine.Approval{}, list...), err)
}

func decideApproval(a *app.App, r *http.Request, caller server.Caller, approve bool) (any, error) {
	attr, err := readAttribution(r)
	if err != nil {
		return nil, err
	}
	return httpResult(a.Decide(r.Context(), r.PathValue("id"), approve, caller.By(attr.By), attr.Why))
}

func messagesOf(a *app.App, r *http.Request) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	agent, err := agentOfQuery(r, a)
	if err != nil {
		return nil, err
	}
	messages, err := a.Messages(r.Context(), agent, limit)
	for i := range messages {
		if messages[i].To != "" {
			messages[i].To = redact.URL(messages[i].To) // a webhook's query is often its secret
		}
	}
	return httpResult(append([]engine.Message{}, messages...), err)
}

func resend(a *app.App, r *http.Request) (any, error) {
	var body struct {
		IDs []string `json:"ids"`
	}
	if err := readJSON(r, &body); err != nil {
		return nil, err
	}
	if len(body.IDs) == 0 {
		return nil, fmt.Errorf("%w: ids: name at least one; `scanflow events` lists them", server.ErrBadRequest)
	}
	found, err := a.Redeliver(r.Context(), body.IDs)
	return httpResult(resendResponse{found}, err)
}

func readJSON(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if errors.Is(err, io.EOF) { // an empty body: the caller checks the fields that it requires
		return nil
	}
	if err != nil {
		return badRequest("body", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badRequest("body", errors.New("there is more after the JSON object"))
	}
	return nil
}
