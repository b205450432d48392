package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/server"
)

// filterOf returns the filter in the query of a request.
func filterOf(a *app.App, r *http.Request) (f journal.Filter, err error) {
	q := r.URL.Query()
	f = journal.Filter{
		Target: q.Get("target"), Strategy: q.Get("strategy"), Verb: q.Get("verb"), Verdict: engine.Verdict(q.Get("verdict")),
		Outcome: engine.Status(q.Get("outcome")), Identity: q.Get("identity"),
	}
	if f.Limit, err = limitOf(r); err != nil {
		return f, err
	}
	now := time.Now()
	if f.Since, err = parseTime(q.Get("since"), now, time.UTC); err != nil {
		return f, badRequest("since", err)
	}
	if f.Until, err = parseTime(q.Get("until"), now, time.UTC); err != nil {
		return f, badRequest("until", err)
	}
	if f.After, err = seqOf(q, "after"); err != nil {
		return f, err
	}
	if f.Before, err = seqOf(q, "before"); err != nil {
		return f, err
	}
	switch order := q.Get("order"); order {
	case "", "newest":
	case "oldest":
		f.OldestFirst = true
	default:
		return f, fmt.Errorf("%w: order: %q is neither newest nor oldest", server.ErrBadRequest, order)
	}
	if v := string(f.Verdict); v != "" && !slices.Contains(verdictNames, v) {
		return f, fmt.Errorf("%w: verdict: %q is none of %v", server.ErrBadRequest, v, verdictNames)
	}
	if f.Verdict == engine.Verdict(engine.Failed) { // as the command's --verdict has it
		f.Verdict, f.Outcome = "", engine.Failed
	}
	f.Agent, err = agentOfQuery(r, a)
	return f, err
}

func seqOf(q url.Values, name string) (int64, error) {
	text := q.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: %s: %q is no seq of a decision", server.ErrBadRequest, name, text)
	}
	return n, nil
}

// agentOfQuery returns the agent of a request, as namespace/name.
func agentOfQuery(r *http.Request, a *app.App) (string, error) {
	name := r.URL.Query().Get("agent")
	if err := checkAgent(name); err != nil {
		return "", fmt.Errorf("%w: %w", server.ErrBadRequest, err)
	}
	var readErr error
	full, err := fullAgent(r.Context(), name, func(ctx context.Context) ([]string, error) {
		var names journal.Names
		names, readErr = namesOf(ctx, a)
		return names.Agents, readErr
	})
	if err != nil && readErr == nil {
		err = fmt.Errorf("%w: %w", server.ErrBadRequest, err)
	}
	return full, err
}

// namesOf returns the names in the journal, and the agents that run.
func namesOf(ctx context.Context, a *app.App) (journal.Names, error) {
	reader, err := a.Journal.Reader()
	if err != nil {
		return journal.Names{}, err
	}
	names, err := reader.Names(ctx)
	for _, agent := range a.Agents() {
		names.Agents = append(names.Agents, agent.Agent)
	}
	slices.Sort(names.Agents)
	names.Agents = slices.Compact(names.Agents)
	return names, err
}

// filteredJournal returns the filter of a request, and a reader of the journal for it.
func filteredJournal(a *app.App, r *http.Request) (journal.Filter, *journal.Reader, error) {
	filter, err := filterOf(a, r)
	if err != nil {
		return filter, nil, err
	}
	reader, err := a.Journal.Reader()
	return filter, reader, err
}

func decisionsOf(a *app.App, r *http.Request) (any, error) {
	filter, reader, err := filteredJournal(a, r)
	if err != nil {
		return nil, err
	}
	rows, err := reader.Decisions(r.Context(), filter)
	return append([]journal.Row{}, rows...), err // [] in JSON, not null
}

// problemsOf returns the firings that had problems.
func problemsOf(a *app.App, r *http.Request) (any, error) {
	filter, reader, err := filteredJournal(a, r)
	if err != nil {
		return nil, err
	}
	out := []journal.Firing{}
	for firing, err := range problemFirings(r.Context(), reader, filter) {
		if err != nil {
			return nil, err
		}
		if out = append(out, firing); len(out) == filter.Limit {
			break
		}
	}
	return out, nil
}

func decisionOf(a *app.App, r *http.Request) (any, error) {
	reader, err := a.Journal.Reader()
	if err != nil {
		return nil, err
	}
	return httpResult(reader.Decision(r.Context(), idOf(r)))
}

func documentOf(a *app.App, r *http.Request) (any, error) {
	reader, err := a.Journal.Reader()
	if err != nil {
		return nil, err
	}
	var raw json.RawMessage
	raw, err = reader.Document(r.Context(), idOf(r))
	return httpResult(raw, err)
}

func idOf(r *http.Request) string { return r.PathValue("firing") + "/" + r.PathValue("index") }
