package app

import (
	"errors"
	"path/filepath"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
)

var (
	// ErrArgos says that the runs of workflows are not this process' own.
	ErrArgos = errors.New("on Kubernetes the runs of workflows are Argo's: `argo list`, `argo logs NAME` and `argo terminate NAME`, or `kubectl get workflows`, do this there")
	// ErrNoWorkflows says that this process runs none.
	ErrNoWorkflows = errors.New("this scanflow runs no workflows: it was started without --workloads")
)

func localDir(data string) string { return filepath.Join(data, "local") }

// WorkflowsDir is where the runs of workflows lie in a data folder.
func WorkflowsDir(data string) string { return orchestrator.WorkflowsDir(localDir(data)) }

// Workflows is what runs workflows in this process.
func (s *System) Workflows() (*orchestrator.Orchestrator, error) {
	switch {
	case s.cluster != nil:
		return nil, ErrArgos
	case s.Local == nil:
		return nil, ErrNoWorkflows
	}
	return s.Local, nil
}
