package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/loop"
	"github.com/scanflow-k8s/scanflow/engine/server"
	"github.com/scanflow-k8s/scanflow/engine/turn"
)

const (
	previewPath = "/v1/preview"
	// previewTimeout bounds a preview: it waits for the end of a turn, and samples the fleet.
	previewTimeout = 40 * time.Second
	// maxPreviewBytes bounds the documents of one response.
	maxPreviewBytes = 32 << 20
)

// previewResponse has the decisions that an agent would make now, as JSON.
type previewResponse struct {
	Agent    string               `json:"agent"`
	Mode     engine.Mode          `json:"mode"`
	At       time.Time            `json:"at"`
	Revision string               `json:"revision"`
	Blocked  string               `json:"blocked,omitempty"`
	Problems []string             `json:"problems,omitempty"`
	Faults   []engine.SignalFault `json:"faults,omitempty"`
	Targets  []evalOutput         `json:"targets"`
	// State, Schema and Guards are there if the request asks for the state: local policies
	// decide with them as the agent would.
	State  *turn.State     `json:"state,omitempty"`
	Schema json.RawMessage `json:"schema,omitempty"`
	Guards json.RawMessage `json:"guards,omitempty"`
}

// previewOf serves GET /v1/preview?agent=NAME&target=NAMESPACE/NAME&state=true.
func previewOf(a *app.App, r *http.Request) (any, error) {
	q := r.URL.Query()
	state := q.Get("state")
	if state != "" && state != "true" && state != "false" {
		return nil, fmt.Errorf("%w: state: %q is neither true nor false", server.ErrBadRequest, state)
	}
	ctx, cancel := context.WithTimeout(r.Context(), previewTimeout)
	defer cancel()
	if _, err := a.Claims(); err != nil { // a standby runs no agents
		return httpResult[any](nil, err)
	}
	name, err := runningAgent(a, q.Get("agent"))
	if err != nil {
		return nil, err
	}
	p, err := a.Preview(ctx, name)
	switch {
	case errors.Is(err, loop.ErrPreviewBusy), errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("%w: %w", server.ErrUnavailable, err)
	case errors.Is(err, loop.ErrNoAgent):
		return nil, fmt.Errorf("%w: %w", server.ErrNotFound, err)
	case err != nil:
		return httpResult[any](nil, err)
	}
	out := previewResponse{
		Agent: p.Agent, Mode: p.Mode, At: p.At, Revision: p.Revision, Blocked: p.Blocked, Problems: p.Problems, Faults: p.Faults,
	}
	if out.Targets, err = evalOutputs(p.Preview, q.Get("target")); err != nil {
		return nil, fmt.Errorf("%w: %w", server.ErrNotFound, err)
	}
	size := 0
	for i := range out.Targets {
		size += len(out.Targets[i].Document)
	}
	if size > maxPreviewBytes {
		return nil, fmt.Errorf("%w: the documents of %d targets are larger than %d MiB; name one with target", server.ErrBadRequest, len(out.Targets), maxPreviewBytes>>20)
	}
	if state == "true" {
		out.State, out.Schema, out.Guards = p.State, p.Schema, p.Guards
	}
	return out, nil
}

// runningAgent returns the namespace/name of an agent that runs here. The namespace may be left
// out where one agent has the name, and the whole where only one runs.
func runningAgent(a *app.App, name string) (string, error) {
	var all, found []string
	for _, s := range a.Agents() {
		all = append(all, s.Agent)
		if _, short, _ := strings.Cut(s.Agent, "/"); name == "" || name == s.Agent || name == short {
			found = append(found, s.Agent)
		}
	}
	slices.Sort(found)
	list := strings.Join(all, ", ")
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(all) == 0:
		return "", fmt.Errorf("%w: no agent runs here", server.ErrNotFound)
	case name == "":
		return "", fmt.Errorf("%w: agent: name one of %s", server.ErrBadRequest, list)
	case len(found) > 1:
		return "", fmt.Errorf("%w: agent: %s are named %q; write namespace/name", server.ErrBadRequest, strings.Join(found, " and "), engine.Echo(name))
	}
	return "", fmt.Errorf("%w: no agent %q runs here; there are %s", server.ErrNotFound, engine.Echo(name), list)
}

// evalOutputs returns the document and the decisions of each target, or of one.
func evalOutputs(p loop.Preview, only string) ([]evalOutput, error) {
	out := []evalOutput{}
	for _, raw := range p.Documents {
		doc, err := engine.ReadDocument(raw)
		if err != nil {
			return nil, err
		}
		id := doc.Target.ID()
		if only != "" && only != id.String() {
			continue
		}
		one := evalOutput{Document: raw, Decisions: []engine.Decision{}}
		for _, d := range p.Decisions {
			if d.Target == id {
				one.Decisions = append(one.Decisions, d)
			}
		}
		for _, n := range p.Notes {
			if n.Remembered && n.Target == id {
				if one.Remembered == nil {
					one.Remembered = map[string]any{}
				}
				one.Remembered[n.Strategy] = n.Value
			}
		}
		out = append(out, one)
	}
	if only != "" && len(out) == 0 && p.Blocked == "" {
		return nil, fmt.Errorf("--target: no target %q among the %d of the agent", engine.Echo(only), len(p.Documents))
	}
	return out, nil
}
