package demo

import (
	"bytes"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/deploy"
	"github.com/scanflow-k8s/scanflow/engine"
)

// study describes a case study of deploy/scenarios.
type study struct {
	// name is the namespace, and the folder unless writeFiles is set.
	name string
	// writeFiles writes the files in another way; nil copies those of the folder.
	writeFiles func(dir string) (files, error)
	// services are the Deployments whose pods are scraped and recorded.
	services []string
	// route is the HTTPRoute that requests are sent to.
	route string
	// nodes are the nodes of the testbed; empty means those of the platform.
	nodes []orchestrator.Node
	// fill changes the text of a manifest; nil leaves it unchanged.
	fill func(raw []byte) []byte
	// pace shortens the durations of the agents.
	pace pace
	// mlflow is the URL of the tracker that the agents use; "" if there is none.
	mlflow string
	// paused pauses the agents.
	paused bool
}

func (s *study) id(deployment string) engine.TargetID {
	return engine.TargetID{Kind: "Deployment", Namespace: s.name, Name: deployment}
}

// files copies the study's manifests and the policies into a folder, filled in and at the
// given speed.
func (s *study) files(o *Options, dir string) (files, error) {
	if s.writeFiles != nil {
		return s.writeFiles(dir)
	}
	out := files{agents: filepath.Join(dir, "agents"), workloads: filepath.Join(dir, "workloads"), policies: o.Policies}
	if err := out.copyPolicies(dir); err != nil {
		return out, err
	}
	fill := func(raw []byte) ([]byte, error) {
		if s.fill != nil {
			raw = s.fill(raw)
		}
		return raw, nil
	}
	agents := func(raw []byte) ([]byte, error) {
		raw, err := fill(raw)
		if err == nil && s.paused {
			raw = bytes.ReplaceAll(raw, []byte("mode: enforce"), []byte("mode: paused"))
		}
		if err == nil && s.pace.by > 1 {
			raw, err = s.pace.agents(raw)
		}
		return raw, err
	}
	from := path.Join("scenarios", s.name)
	if err := copyTree(deploy.FS, path.Join(from, "workloads"), out.workloads, fill); err != nil {
		return out, err
	}
	return out, copyTree(deploy.FS, path.Join(from, "agents"), out.agents, agents)
}

// studyPace divides the durations of the agents of a case study by the demo's speed. The
// minimum values allow for a Prometheus that scrapes every half second, and for the start of a
// process.
func studyPace(o *Options) pace {
	return pace{by: o.Speed, interval: time.Second, window: minRateWindow, param: time.Second}
}

// setParam sets a parameter in an agent's manifest. It removes a comment on the same line.
func setParam(raw []byte, name, value string) []byte {
	line := regexp.MustCompile(fmt.Sprintf(`(?m)^(\s+%s:).*$`, regexp.QuoteMeta(name)))
	return line.ReplaceAll(raw, []byte("${1} "+value))
}
