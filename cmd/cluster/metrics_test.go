package main

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

func TestMetricsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no address":       {[]string{"--prometheus", "prometheus:9090"}, `--prometheus: "prometheus:9090" is no address`},
		"an empty address": {[]string{"--prometheus", ""}, `--prometheus: "" is no address`},
		"no name":          {[]string{"--metric", ""}, `--metric: "" can't be a metric's name`},
		"a path":           {[]string{"--metric", "a/b"}, `--metric: "a/b" can't be a metric's name`},
		"no query":         {[]string{"--query", " "}, "--query: none is given"},
		"no kubeconfig":    {[]string{"--kubeconfig", "missing"}, "missing"},
		"an argument":      {[]string{"x"}, "unknown command"},
	} {
		t.Run(name, func(t *testing.T) {
			command := newMetrics()
			command.SetArgs(c.args)
			command.SetOut(io.Discard)
			command.SilenceUsage, command.SilenceErrors = true, true
			require.ErrorContains(t, command.ExecuteContext(t.Context()), c.says)
		})
	}
}

// The command registers an APIService, and removes it when it ends.
func TestMetrics(t *testing.T) {
	c := testcluster.New(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	output, out := io.Pipe()
	command := newMetrics()
	command.SetArgs([]string{"--kubeconfig", c.Kubeconfig()})
	command.SetOut(out)
	ended := make(chan error, 1)
	go func() { ended <- command.ExecuteContext(ctx) }()
	line := make([]byte, 200)
	n, err := output.Read(line)
	require.NoError(t, err)
	require.Equal(t, "serving requests_per_second of pods from http://127.0.0.1:9090\n", string(line[:n]))
	registrations := c.Client().Dynamic.Resource(schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"})
	_, err = registrations.Get(t.Context(), "v1beta2.custom.metrics.k8s.io", metav1.GetOptions{})
	require.NoError(t, err)
	stop()
	require.NoError(t, <-ended)
	_, err = registrations.Get(t.Context(), "v1beta2.custom.metrics.k8s.io", metav1.GetOptions{})
	require.ErrorContains(t, err, "not found")
}
