package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// printUncovered prints one line for each signal whose samples do not cover the span of its
// sustained: a rule on its min, max or avg does not hold here, and may in the daemon.
func printUncovered(w io.Writer, a *manifest.Agent, documents []json.RawMessage) error {
	var uncovered []string
	for _, raw := range documents {
		doc, err := engine.ReadDocument(raw)
		if err != nil {
			return err
		}
		for i, s := range doc.Signals {
			if s.Sustained != nil && !s.Sustained.Covered {
				uncovered = append(uncovered, doc.Names[i])
			}
		}
	}
	for _, s := range a.Spec.Sensors {
		if slices.Contains(uncovered, s.Name) {
			_, _ = fmt.Fprintln(w, plot.Line(fmt.Sprintf("signal %s: sustained covers nothing yet, and has no min, max and avg: eval remembers no samples, and over is %s", s.Name, s.Sustained.Over)))
		}
	}
	return nil
}
