package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/freeport"
)

// What arrives at a Service is counted under /metrics, also where no pod is there.
func TestRunShowsTheRequestsOfItsServices(t *testing.T) {
	s := newSite(t)
	at := freeport.Reserve(t)
	_, port, _ := strings.Cut(at, ":")
	s.write("workloads/web.yaml", `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, command: [sleep, "60"], ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: `+port+`, targetPort: 80}]}
`)
	d := startDaemon(t, "-f", s.agents, "--policies", s.policies, "--data", s.data, "--workloads", filepath.Join(s.dir, "workloads"))
	const labels = `backend="web",kind="Service",name="web",namespace="default",port="`
	d.metric("scanflow_router_requests_total{" + labels + port + `"} 0`)
	res, err := http.Get("http://" + at)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	d.metric("scanflow_router_requests_total{" + labels + port + `"} 1`)
	d.metric(`scanflow_router_responses_total{backend="web",code="503",kind="Service"`)
	d.metric("scanflow_router_requests_in_flight{" + labels + port + `"} 0`)
	d.stop()
}
