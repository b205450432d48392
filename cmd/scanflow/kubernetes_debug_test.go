package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/demo"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/steps"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// debugChain lists the acts, in order, that bring a version into service.
func debugChain(version string) []string {
	return []string{
		"digits/tracker event.send dev.scanflow.check.requested",
		"digits/checker workflow.run detect",
		"digits/checker event.send dev.scanflow.retrain.requested",
		"digits/planner workflow.run retrain",
		"digits/planner event.send dev.scanflow.promote.requested",
		"digits/executor model.promote " + version,
		"digits/planner model.serve " + version,
	}
}

// S1 for real on a cluster, from the files of deploy/modeldebug: the digits drift, and
// four agents in one process notice, retrain, compare, promote and roll out.
func TestS1OnKubernetes(t *testing.T) {
	t.Parallel()
	s := newDebugged(t)
	all := s.part("")
	all.start()
	rounds := 1
	if os.Getenv("SCANFLOW_SOAK") != "" {
		rounds = 2
	}
	s.debug([]*part{all}, rounds, func(int) {})
}

// The same in four processes, of which each runs one agent, has the rights of that
// agent alone, and knows the others by their addresses: the same decisions of the same
// agents in the same order lead to the same outcome.
func TestS1OnKubernetesInFourProcesses(t *testing.T) {
	t.Parallel()
	s := newDebugged(t)
	s.debugInFour(1, func(int, map[string]*part) {})
}

// debugInFour has each agent run in a process of its own.
func (s *debugged) debugInFour(rounds int, disturb func(round int, four map[string]*part)) {
	s.t.Helper()
	four := s.four()
	var parts []*part
	for _, name := range debugParts {
		four[name].start()
		parts = append(parts, four[name])
	}
	s.debug(parts, rounds, func(round int) { disturb(round, four) })
	for _, p := range parts {
		for _, r := range p.did() {
			require.Equal(s.t, "digits/"+p.name, r.Agent)
		}
	}
}

// debug has the agents of these processes debug the model, and looks at what comes of
// it. disturb is called as each round begins.
func (s *debugged) debug(parts []*part, rounds int, disturb func(round int)) {
	s.t.Helper()
	s.cluster.Apply(s.t, inFolder(s.t, s.agents))
	for _, agent := range debugParts {
		s.until(agent+" runs", func() bool { return strings.HasPrefix(s.condition(agent, "Running"), "True") })
	}
	began := time.Now()
	stop := s.perform()
	for n := 2; n < 2+rounds; n++ {
		disturb(n - 1)
		s.comesIntoService(strconv.Itoa(n), 3*time.Minute)
		s.t.Logf("version %d serves after %s", n, time.Since(began).Round(time.Second))
		s.isBetter(n)
		s.hasComeAbout(strconv.Itoa(n), parts)
	}
	result := stop()
	s.t.Logf("%d digits came in, %d were not answered", result.Total.Count, result.Total.Errors)
	require.Less(s.t, result.Total.ErrorRate, 0.01, "the classifier serves all the time")
	s.oncePerRequest(parts)
	for _, p := range parts {
		require.NotContains(s.t, strings.ToLower(p.text()), "forbidden", "the roles are enough")
		s.until("it leads, and can be asked", p.leads)
		letters, code := scanflow(s.t, "events", "--box", "dead", "--server", p.url)
		require.Equal(s.t, 0, code, letters)
		require.Contains(s.t, letters, "none is dead")
		p.stop()
	}
}

// comesIntoService waits until every pod serves a version, which is in production by
// then.
func (s *debugged) comesIntoService(version string, within time.Duration) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		return s.field(deploymentsResource, "digits", "spec", "template", "spec", "containers", "0", "env", "0", "value") == "models:/digits/"+version
	}, within, 50*time.Millisecond, "version %s is rolled out", version)
	production, err := s.tracker.VersionByAlias(s.t.Context(), steps.DefaultModel, steps.Production)
	require.NoError(s.t, err)
	require.Equal(s.t, version, production.Version)
	s.until("every pod serves version "+version, func() bool {
		pods := s.front.all()
		for _, pod := range pods {
			if s.versionAt(pod) != version {
				return false
			}
		}
		return len(pods) == 2
	})
}

// versionAt returns the version that a pod serves; "" if it does not answer.
func (s *debugged) versionAt(pod string) string {
	client := http.Client{Timeout: 2 * time.Second}
	res, err := client.Post("http://"+pod+"/predict", "application/octet-stream", bytes.NewReader(s.images[0][:]))
	if err != nil {
		return ""
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Version string `json:"model_version"`
	}
	if json.NewDecoder(res.Body).Decode(&answer) != nil {
		return ""
	}
	return answer.Version
}

// isBetter holds a version against the one before, by what the registry says of both.
func (s *debugged) isBetter(version int) {
	s.t.Helper()
	worth := func(n int) (accuracy float64, size int) {
		v, err := s.tracker.Version(s.t.Context(), steps.DefaultModel, strconv.Itoa(n))
		require.NoError(s.t, err)
		run, err := s.tracker.Run(s.t.Context(), v.RunID)
		require.NoError(s.t, err)
		size, err = strconv.Atoi(run.Params["train_size"])
		require.NoError(s.t, err)
		return run.Metrics[steps.Accuracy], size
	}
	before, sizeBefore := worth(version - 1)
	after, size := worth(version)
	s.t.Logf("accuracy on drifted digits %.4f -> %.4f, trained on %d -> %d digits", before, after, sizeBefore, size)
	require.Greater(s.t, after, before)
	require.Greater(s.t, size, sizeBefore)
}

// hasComeAbout follows a version in service back to where it began.
func (s *debugged) hasComeAbout(version string, parts []*part) {
	s.t.Helper()
	var last *journal.Row
	var rows []journal.Row
	s.until("it is written down", func() bool {
		rows, last = didAll(parts...), nil
		for i := range rows {
			if stepOf(&rows[i]) == "digits/planner model.serve "+version {
				last = &rows[i]
			}
		}
		return last != nil
	})
	var chain []string
	for _, r := range demo.Chain(rows, *last) {
		chain = append(chain, stepOf(&r))
		if e := r.Trigger.Event; e != nil {
			require.True(s.t, strings.HasPrefix(e.Type, "dev.scanflow."), e.Type)
			require.Contains(s.t, []string{"digits/tracker", "digits/checker", "digits/planner", "digits/executor"}, e.Sender)
		}
	}
	require.Equal(s.t, debugChain(version), chain)
}

// oncePerRequest: each training answers a request of its own.
func (s *debugged) oncePerRequest(parts []*part) {
	s.t.Helper()
	answers := map[string]string{} // the event, by the act's identity
	requests := 0
	for _, r := range didAll(parts...) {
		switch stepOf(&r) {
		case "digits/checker event.send dev.scanflow.retrain.requested":
			requests++
		case "digits/planner workflow.run retrain":
			answers[r.Identity] = r.Trigger.Event.ID
		}
	}
	answered := map[string]bool{}
	for _, run := range s.workflows("retrain") {
		event := answers[run.GetLabels()["scanflow.dev/identity"]]
		require.NotEmpty(s.t, event, "%s answers a request", run.GetName())
		require.False(s.t, answered[event], "%s answers one that was answered", run.GetName())
		answered[event] = true
	}
	s.t.Logf("%d requests to retrain, %d trainings", requests, len(answered))
	require.LessOrEqual(s.t, len(answered), requests)
}
