package workflow

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

// A cancelled run is Failed, whatever the phases of its steps.
func TestACancelledRunFails(t *testing.T) {
	r := newRunner(t, Options{})
	submit(t, r, `
templates:
  - name: main
    retryStrategy: {limit: 3, retryPolicy: Always, backoff: {duration: 1h}}
    container: {command: [no-such-program]}`)
	eventually(t, "it waits to be tried again", func() bool { return stepOf(t, getRun(t, r), "").Phase == Pending })
	require.Equal(t, Error, stepOf(t, getRun(t, r), "").Attempts[0].Phase)
	run := getRun(t, r)
	require.Equal(t, []string{"main"}, run.ActiveSteps())
	require.NoError(t, r.Cancel("test", "run", "cancelled by ana"))
	require.Equal(t, "cancelled by ana", getRun(t, r).Stop, "it shows at once")
	run = waitEnded(t, r)
	require.Equal(t, Failed, run.Phase)
	require.Equal(t, "cancelled by ana", run.Message)
}

// A cancellation is saved before it is acknowledged: the next Runner carries it out.
func TestACancellationSurvivesTheRunner(t *testing.T) {
	dir, at := t.TempDir(), file(t, "pid")
	r := newRunner(t, Options{Dir: dir})
	submit(t, r, "templates: [{name: main, container: "+shell("trap '[ -e "+at+".go ] && exit' TERM; touch "+at+"; while :; do sleep 0.02; done")+"}]")
	p := process(t, r, "", at)
	require.NoError(t, r.Cancel("test", "run", "cancelled by ana"))
	closeRunner(t, r, Detach)
	require.True(t, pod.Alive(p.PID, p.StartID), "it does not heed SIGTERM yet")
	require.NoError(t, os.WriteFile(at+".go", nil, 0o600))
	r = newRunner(t, Options{Dir: dir})
	run := waitEnded(t, r)
	require.Equal(t, Failed, run.Phase)
	require.Equal(t, "cancelled by ana", run.Message)
	require.False(t, pod.Alive(p.PID, p.StartID))
}
