package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestScenariosReadme holds the table of deploy/scenarios against its folders: each has a
// line, which names what its manifests want of the cluster.
func TestScenariosReadme(t *testing.T) {
	dir := filepath.Join("..", "..", "deploy", "scenarios")
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	require.NoError(t, err)
	folders, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		row := regexp.MustCompile("(?m)^\\| `" + folder.Name() + "` \\|.*$").FindString(string(readme))
		require.NotEmpty(t, row, "the README has no line for %s", folder.Name())
		var manifests strings.Builder
		require.NoError(t, filepath.WalkDir(filepath.Join(dir, folder.Name()), func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				var raw []byte
				raw, err = os.ReadFile(path)
				manifests.Write(raw)
			}
			return err
		}))
		for has, wants := range map[string]string{
			"kind: HTTPRoute":                "a Gateway",
			"kind: WorkflowTemplate":         "Argo Workflows",
			"kind: HorizontalPodAutoscaler":  "a custom metrics API",
			"prometheus:":                    "a Prometheus",
			"scanflow_router_requests_total": "the gateway's counters",
			"kube_deployment_status":         "kube-state-metrics",
		} {
			if strings.Contains(manifests.String(), has) {
				require.Contains(t, row, wants, "%s has %s", folder.Name(), has)
			}
		}
	}
}
