package main

import (
	"io/fs"
	"regexp"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/deploy"
	"github.com/scanflow-k8s/scanflow/engine/server"
)

// The alert rules are PromQL over metrics that there are.
func TestAlertRules(t *testing.T) {
	raw, err := fs.ReadFile(deploy.FS, "prometheus/alerts.yaml")
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	require.NoError(t, yaml.Unmarshal(raw, &file))
	known := map[string]bool{}
	for _, d := range server.Definitions() {
		known[d.Name] = true
	}
	alerts := map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			alerts[r.Alert] = true
			_, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
			require.NoError(t, err, r.Alert)
			for _, name := range regexp.MustCompile(`scanflow_\w+`).FindAllString(r.Expr, -1) {
				require.True(t, known[name], "%s: no metric %s", r.Alert, name)
			}
		}
	}
	require.True(t, alerts["ScanflowNoDecision"])
}
