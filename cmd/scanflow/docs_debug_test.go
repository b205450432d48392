package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

// What docs/model-debugging.md has a reader do on a laptop: a tracker, the four agents
// as a daemon, and drifted digits, up to a better version in service.
func TestModelDebuggingPage(t *testing.T) {
	t.Parallel()
	s := newSession(t, "docs/model-debugging.md", "## On a laptop", "## On Kubernetes")
	s.addresses("8282", "5000", "9090", "18080")
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	require.NoError(t, os.Symlink(filepath.Join(root, "deploy"), filepath.Join(s.dir, "deploy")))
	require.NoError(t, os.Mkdir(filepath.Join(s.dir, "bin"), 0o750))
	s.programs["prometheus"] = s.prometheus
	s.programs["cp"] = func() {
		s.once(step{command: "cp -r deploy/modeldebug bin/s1"})
		all := s.replace
		s.address("127.0.0.1:5000", all.Replace("127.0.0.1:5000"), "port: 18080", all.Replace("port: 18080"))
		s.replace = all
	}
	s.all()
}

// prometheus stands in for the program, with what the page's configuration scrapes.
func (s *session) prometheus() {
	s.t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, "bin", "s1", "prometheus.yaml"))
	require.NoError(s.t, err)
	var config struct {
		Jobs []struct {
			Name     string `json:"job_name"`
			Interval string `json:"scrape_interval"`
			Static   []struct {
				Targets []string
				Labels  map[string]string
			} `json:"static_configs"`
		} `json:"scrape_configs"`
	}
	require.NoError(s.t, yaml.UnmarshalStrict(raw, &config))
	require.Len(s.t, config.Jobs, 1)
	interval, err := time.ParseDuration(config.Jobs[0].Interval)
	require.NoError(s.t, err)
	engine, err := promengine.Open(promengine.Options{ScrapeInterval: interval})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, engine.Close()) })
	var targets []promengine.Target
	for _, static := range config.Jobs[0].Static {
		for _, target := range static.Targets {
			targets = append(targets, promengine.Target{Address: target, Labels: static.Labels})
		}
	}
	require.NoError(s.t, engine.SetTargets(config.Jobs[0].Name, targets))
	l, err := net.Listen("tcp", s.replace.Replace("127.0.0.1:9090"))
	require.NoError(s.t, err)
	web := &httptest.Server{Listener: l, Config: &http.Server{Handler: engine.Handler(), ReadHeaderTimeout: time.Second}}
	web.Start()
	s.t.Cleanup(web.Close)
	require.False(s.t, strings.Contains(web.URL, ":9090"), "another port than the page's")
}

func TestWorkflowsPage(t *testing.T) {
	t.Parallel()
	s := newSession(t, "docs/workflows.md", "## Write one", "## What is honoured on a laptop")
	s.replace = strings.NewReplacer("/home/me/flow", s.dir, "127.0.0.1:8282", fmt.Sprintf("127.0.0.1:%d", freePort(t)))
	s.all()
}
