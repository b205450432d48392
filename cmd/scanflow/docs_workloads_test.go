package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const badWorkload = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      hostNetwork: true
      containers:
        - name: web
          command: [scanflow, digits, serve]
          resources: {limits: {cpu: 500m, memory: 1Gi}}
          volumeMounts: [{name: data, mountPath: /data}]
`

// The page on workloads shows what check says of a file with these mistakes.
func TestWorkloadsPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "workloads.md"))
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("bad.yaml", []byte(badWorkload), 0o600))
	out, code := scanflow(t, "check", "--workloads", "bad.yaml")
	require.NotZero(t, code)
	require.Contains(t, string(page), "\n$ scanflow check --workloads bad.yaml\n"+strings.TrimSpace(out)+"\n```\n")
}
