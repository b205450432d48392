package main

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/engine/server"
)

// workflowLine summarizes a run in a list.
type workflowLine struct {
	Namespace  string         `json:"namespace"`
	Name       string         `json:"name"`
	Template   string         `json:"template"`
	Phase      workflow.Phase `json:"phase"`
	StartedAt  time.Time      `json:"startedAt"`
	FinishedAt time.Time      `json:"finishedAt,omitzero"`
	Done       int            `json:"done"`
	All        int            `json:"all"`
	// At lists the steps that are running or failed.
	At []string `json:"at"`
	// Message says how the run ended, or why it is being stopped.
	Message string `json:"message,omitempty"`
}

func workflowLines(runs []workflow.Run) []workflowLine {
	lines := make([]workflowLine, len(runs))
	for i := range runs {
		r := &runs[i]
		lines[i] = workflowLine{
			Namespace: r.Namespace, Name: r.Name, Template: r.Template, Phase: r.Phase, StartedAt: r.StartedAt, FinishedAt: r.FinishedAt,
			Done: r.Done, All: r.All, At: r.ActiveSteps(), Message: cmp.Or(r.Message, r.Stop),
		}
	}
	return lines
}

func workflowsOf(a *app.App) ([]workflowLine, error) {
	local, err := a.Workflows()
	if err != nil {
		return nil, err
	}
	return workflowLines(local.Runs()), nil
}

// workflowOf returns the run that a request names.
func workflowOf(a *app.App, r *http.Request) (workflow.Run, error) {
	local, err := a.Workflows()
	if err != nil {
		return workflow.Run{}, err
	}
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	run, found := local.Run(namespace, name)
	if !found {
		return run, fmt.Errorf("run %s/%s: %w", namespace, name, workflow.ErrUnknownRun)
	}
	return run, nil
}

func logOf(a *app.App, r *http.Request) (workflow.LogPart, error) {
	q := r.URL.Query()
	attempt, err := strconv.Atoi(cmp.Or(q.Get("attempt"), "0"))
	if err != nil || attempt < 0 {
		return workflow.LogPart{}, fmt.Errorf("%w: attempt: %q is no number from 0", server.ErrBadRequest, q.Get("attempt"))
	}
	from, err := strconv.ParseInt(cmp.Or(q.Get("from"), "0"), 10, 64)
	if err != nil || from < 0 {
		return workflow.LogPart{}, fmt.Errorf("%w: from: %q is no number of bytes", server.ErrBadRequest, q.Get("from"))
	}
	run, err := workflowOf(a, r)
	if err != nil {
		return workflow.LogPart{}, err
	}
	return run.Log(q.Get("step"), attempt, from)
}

// cancelWorkflow cancels a run on behalf of a user. The agent that started the run sees it
// fail. If two users cancel it, the first reason is kept.
func cancelWorkflow(a *app.App, r *http.Request, caller server.Caller) (workflow.Run, error) {
	attr, err := readAttribution(r)
	if err != nil {
		return workflow.Run{}, err
	}
	run, err := workflowOf(a, r)
	if err != nil {
		return run, err
	}
	if err := checkCancellable(&run); err != nil {
		return run, err
	}
	local, err := a.Workflows()
	if err != nil {
		return run, err
	}
	why := "cancelled by " + caller.By(attr.By)
	if attr.Why != "" {
		why += ": " + attr.Why
	}
	if err := local.CancelRun(run.Namespace, run.Name, why); err != nil {
		return run, err
	}
	if run, err = workflowOf(a, r); err == nil && run.Stop != why { // somebody else cancelled it first
		err = checkCancellable(&run)
	}
	return run, err
}

// checkCancellable returns an error for a run that has ended or is already being cancelled.
func checkCancellable(run *workflow.Run) error {
	switch {
	case run.Phase.Ended():
		return fmt.Errorf("%w: run %s/%s has ended already: %s", server.ErrConflict, run.Namespace, run.Name, run.Phase)
	case run.Stop != "":
		return fmt.Errorf("%w: run %s/%s is being ended already: %s", server.ErrConflict, run.Namespace, run.Name, run.Stop)
	}
	return nil
}
