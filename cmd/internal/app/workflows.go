package app

import (
	"errors"
	"path/filepath"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
)

var (
	// ErrArgos means that Argo runs the workflows, and not this process.
	ErrArgos = errors.New("on Kubernetes the runs of workflows are Argo's: `argo list`, `argo logs NAME` and `argo terminate NAME`, or `kubectl get workflows`, do this there")
	// ErrNoWorkflows means that this process runs no workflows.
	ErrNoWorkflows = errors.New("this scanflow runs no workflows: it was started without --workloads")
)

// Workflows returns the orchestrator that runs the workflows of this process.
func (a *App) Workflows() (*orchestrator.Orchestrator, error) {
	switch {
	case a.cluster != nil:
		return nil, ErrArgos
	case a.Local == nil:
		return nil, ErrNoWorkflows
	}
	return a.Local, nil
}

// LocalDir is the state folder of the local orchestrator in a data folder.
func LocalDir(data string) string { return localDir(data) }

func localDir(data string) string { return filepath.Join(data, "local") }

// WorkflowsDir is the folder of the runs of workflows in a data folder.
func WorkflowsDir(data string) string { return orchestrator.WorkflowsDir(localDir(data)) }
