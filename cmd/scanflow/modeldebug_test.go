package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/deploy"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
	"github.com/scanflow-k8s/scanflow/policies"
)

// bareWorkloads are in the place of deploy/modeldebug/workloads: pods that only sleep,
// of which those of version 2 are ready once the file "ready" is there; and a training
// that notes that it runs, and ends once the file "trained" is there.
const bareWorkloads = `apiVersion: apps/v1
kind: Deployment
metadata: {name: digits, namespace: digits, labels: {app.kubernetes.io/component: predictor}}
spec:
  replicas: 2
  selector: {matchLabels: {app: digits}}
  template:
    metadata: {labels: {app: digits}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: server
          image: none
          command: [sleep, "600"]
          env: [{name: MODEL_URI, value: "models:/digits/1"}]
          readinessProbe:
            exec: {command: [sh, -c, '[ "$MODEL_URI" = models:/digits/1 ] || [ -e FOLDER/ready ]']}
            periodSeconds: 1
---
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: retrain, namespace: digits}
spec:
  entrypoint: train
  templates:
    - name: train
      container: {image: none, command: [sh, -c], args: ["echo trains >>FOLDER/trainings; until [ -e FOLDER/trained ]; do sleep 0.05; done"]}
`

// bench is the planner of deploy/modeldebug as it ships, on a laptop, with workloads
// that do next to nothing.
type bench struct {
	*site
	tracker *mlflow.Client
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{site: newSite(t), tracker: emptyTracker(t)}
	require.NoError(t, os.RemoveAll(b.agents))
	require.NoError(t, os.RemoveAll(b.policies))
	require.NoError(t, os.CopyFS(b.policies, policies.FS))
	planner, err := fs.ReadFile(deploy.FS, "modeldebug/agents/planner.yaml")
	require.NoError(t, err)
	b.write("agents/planner.yaml", string(planner))
	b.write("workloads/digits.yaml", strings.ReplaceAll(bareWorkloads, "FOLDER", b.dir))
	b.write("token", "of-the-checker\n")
	b.write("senders.yaml", fmt.Sprintf("senders: [{name: there, peer: true, bearerToken: {file: %q}}]\n", filepath.Join(b.dir, "token")))
	return b
}

func (b *bench) start(more ...string) *daemon {
	b.t.Helper()
	args := b.args("--workloads", filepath.Join(b.dir, "workloads"), "--stop-pods", "--mlflow", b.tracker.URL(), "--senders", filepath.Join(b.dir, "senders.yaml"))
	return startDaemon(b.t, append(args, more...)...)
}

// asks has the checker, which another process runs, ask for a retraining.
func (b *bench) asks(d *daemon, id string) {
	b.t.Helper()
	body := fmt.Sprintf(`{"specversion": "1.0", "id": %q, "source": "/agents/digits/checker", "type": "dev.scanflow.retrain.requested", "subject": "digits/digits", "data": {"critical": 51}}`, id)
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, d.url+"/v1/events", strings.NewReader(body))
	require.NoError(b.t, err)
	req.Header.Set("Content-Type", "application/cloudevents+json")
	req.Header.Set("Authorization", "Bearer of-the-checker")
	res, err := http.DefaultClient.Do(req)
	require.NoError(b.t, err)
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	require.Equal(b.t, http.StatusAccepted, res.StatusCode, string(answer))
}

// firings is how often each event has fired the planner.
func (b *bench) firings() map[string]int {
	b.t.Helper()
	r, err := journal.OpenReader(b.t.Context(), app.JournalDir(b.data))
	require.NoError(b.t, err)
	defer func() { require.NoError(b.t, r.Close()) }()
	all, err := r.Firings(b.t.Context(), journal.Filter{})
	require.NoError(b.t, err)
	out := map[string]int{}
	for _, f := range all {
		if f.Trigger.Event != nil {
			out[f.Trigger.Event.ID]++
		}
	}
	return out
}

// answered waits until an event has fired the planner.
func (b *bench) answered(id string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return b.firings()[id] > 0 }, 20*time.Second, 10*time.Millisecond, "event %s is handled", id)
}

// trainings returns the notes that the training steps wrote.
func (b *bench) trainings() string {
	raw, err := os.ReadFile(filepath.Join(b.dir, "trainings"))
	if !os.IsNotExist(err) {
		require.NoError(b.t, err)
	}
	return string(raw)
}

// decisions are those of a verb, the newest first, as `scanflow decisions` has them.
func (b *bench) decisions(verb string) []journal.Row { return decisionsIn(b.t, b.data, verb) }

// admitted is the last of them that was done.
func admitted(t *testing.T, rows []journal.Row) journal.Row {
	t.Helper()
	i := slices.IndexFunc(rows, func(r journal.Row) bool { return r.Verdict == engine.Admitted })
	require.GreaterOrEqual(t, i, 0, "nothing was admitted")
	require.NotNil(t, rows[i].EndedAt, "it has not ended")
	return rows[i]
}

func decisionsIn(t *testing.T, data, verb string) (out []journal.Row) {
	t.Helper()
	text, code := scanflow(t, "decisions", "--data", data, "--verb", verb, "--json", "--limit", "0")
	require.Equal(t, 0, code, text)
	for line := range strings.Lines(text) {
		var row journal.Row
		require.NoError(t, json.Unmarshal([]byte(line), &row))
		out = append(out, row)
	}
	return out
}

// Defect 7 of the published system: a repeated request started a second retraining.
// Here it is delivered again and again, sent again under another name, and all that
// while the training runs, after the process was killed, and right after the training:
// there is one.
func TestDefect7ARepeatedRequestStartsOneRetraining(t *testing.T) {
	b := newBench(t)
	d := b.start()
	for range 3 {
		b.asks(d, "first")
	}
	b.answered("first")
	d.until("the training runs", func() bool { return b.trainings() != "" })
	for _, id := range []string{"first", "second", "second", "first"} {
		b.asks(d, id)
	}
	b.answered("second")

	d.kill()
	d = b.start()
	for _, id := range []string{"second", "first", "third"} {
		b.asks(d, id)
	}
	b.answered("third")

	b.write("trained", "")
	d.until("the training has ended", func() bool { return d.acts("workflow.run", false) == 1 })
	for _, id := range []string{"first", "fourth", "fourth"} {
		b.asks(d, id)
	}
	b.answered("fourth")
	require.Equal(t, map[string]int{"first": 1, "second": 1, "third": 1, "fourth": 1}, b.firings(), "each is looked at once")
	rows := b.decisions("workflow.run")
	require.Len(t, rows, 1)
	require.Equal(t, engine.Done, rows[0].Outcome.Status)
	require.Equal(t, "first", rows[0].Trigger.Event.ID)
	require.Equal(t, "trains\n", b.trainings())
	d.stop()
}
