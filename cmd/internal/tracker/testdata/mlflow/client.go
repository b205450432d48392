package main

import (
	"encoding/json"
	"io"
	"log"

	mlflow "github.com/Astera-org/mlflow-go"
)

// seen holds what a session read back.
type seen struct {
	Experiment string            `json:"experiment"`
	Run        string            `json:"run"`
	Name       string            `json:"name"`
	Param      string            `json:"param"`
	Tag        string            `json:"tag"`
	Found      map[string]string `json:"found"` // id: name
	Missing    string            `json:"missing"`
}

// session does what a program that trains a model does, all by the client.
func session(address string, out io.Writer) error {
	t, err := mlflow.NewTracking(address, "", log.New(io.Discard, "", 0))
	if err != nil {
		return err
	}
	e, err := t.GetOrCreateExperimentWithName("from-a-client")
	if err != nil {
		return err
	}
	run, err := e.CreateRun("first")
	if err != nil {
		return err
	}
	for step := range int64(3) {
		if err := run.LogMetric("loss", 1/float64(1+step), step); err != nil {
			return err
		}
	}
	if err := run.LogMetrics([]mlflow.Metric{{Key: "accuracy", Val: 0.9}, {Key: "recall", Val: 0.8}}, 3); err != nil {
		return err
	}
	if err := run.LogParams([]mlflow.Param{{Key: "depth", Val: "3"}, {Key: "rate", Val: "0.1"}}); err != nil {
		return err
	}
	if err := run.SetTags([]mlflow.Tag{{Key: "by", Val: "client"}}); err != nil {
		return err
	}
	if err := run.SetName("renamed"); err != nil {
		return err
	}
	if err := run.End(); err != nil {
		return err
	}
	found, _, err := t.SearchRuns([]string{e.ID()}, `metrics.loss < 0.5 AND params.depth = "3"`, []string{"metrics.loss ASC"}, "")
	if err != nil {
		return err
	}
	s := seen{Experiment: e.ID(), Run: run.ID(), Found: map[string]string{}}
	for _, r := range found {
		s.Found[r.ID()] = r.Name()
	}
	again, err := e.GetRun(run.ID())
	if err != nil {
		return err
	}
	s.Name = again.Name()
	if s.Param, err = again.GetParam("depth"); err != nil {
		return err
	}
	if s.Tag, err = again.GetTag("by"); err != nil {
		return err
	}
	if _, err := e.GetRun("0123456789abcdef0123456789abcdef"); err != nil {
		s.Missing = err.Error()
	}
	return json.NewEncoder(out).Encode(s)
}
