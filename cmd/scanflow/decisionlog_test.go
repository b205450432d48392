package main

import (
	"bytes"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// The log as JSON names the target of an act as it names that of a decision, without its pods
// and labels.
func TestActsAreLoggedWithTheNameOfTheirTarget(t *testing.T) {
	var a engine.Act
	a.Target = engine.Target{Kind: "Deployment", Namespace: "ns", Name: "web", Labels: map[string]string{"app": "web"}, Pods: []engine.TargetPod{{Name: "web-1"}}}
	for name, write := range map[string]func(*decisionLog){
		"acted":   func(l *decisionLog) { l.Acted(a) },
		"stalled": func(l *decisionLog) { l.Stalled(a) },
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			write(newDecisionLog(hclog.New(&hclog.LoggerOptions{Output: &out, JSONFormat: true}), false))
			require.Contains(t, out.String(), `"target":{"kind":"Deployment","namespace":"ns","name":"web"}`)
		})
	}
}
