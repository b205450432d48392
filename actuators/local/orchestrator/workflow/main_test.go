package workflow

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	kyaml "sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

// daemonRole makes the test binary a daemon that submits a run of a template and runs
// until it is killed. Its value is "DIR FILE".
const daemonRole = "SCANFLOW_TEST_RUNNER"

// daemonKills sets KillWithParent for the daemon's steps.
const daemonKills = "SCANFLOW_TEST_RUNNER_KILLS"

func TestMain(m *testing.M) {
	if args := os.Getenv(daemonRole); args != "" {
		daemon(args)
		return
	}
	os.Exit(m.Run())
}

func daemon(args string) {
	dir, file, _ := strings.Cut(args, " ")
	raw, err := os.ReadFile(file)
	if err == nil {
		var r *Runner
		if r, err = New(Options{Dir: dir, KillWithParent: os.Getenv(daemonKills) != ""}); err == nil {
			var t Template
			if err = kyaml.UnmarshalStrict(raw, &t); err == nil {
				r.Start()
				_, err = r.Submit(Request{Namespace: "test", Name: "run", Identity: "one", Template: t})
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	forever := make(chan os.Signal, 1)
	signal.Notify(forever, syscall.SIGTERM)
	<-forever
}

const soon = 20 * time.Second

// parse reads a template; its entrypoint is "main" and its name "flow".
func parse(t testing.TB, spec string) Template {
	t.Helper()
	var out Template
	require.NoError(t, kyaml.UnmarshalStrict([]byte("metadata: {name: flow, namespace: test}\nspec:\n  entrypoint: main\n"+indent(spec)), &out))
	return out
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.Trim(text, "\n"), "\n", "\n  ")
}

// shell is a container that runs a script.
func shell(script string) string {
	return fmt.Sprintf("{image: none, command: [sh, -c], args: [%q]}", script)
}

func newRunner(t *testing.T, o Options) *Runner {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	r, err := New(o)
	require.NoError(t, err)
	r.Start()
	t.Cleanup(func() {
		closeRunner(t, r, StopAll)
		// Processes that a failed test has detached.
		if rest, err := New(Options{Dir: o.Dir}); err == nil {
			rest.Start()
			closeRunner(t, rest, StopAll)
		}
	})
	return r
}

func closeRunner(t *testing.T, r *Runner, how CloseMode) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	require.NoError(t, r.Close(ctx, how))
}

// submit submits the run "run" of a template.
func submit(t *testing.T, r *Runner, spec string, parameters ...string) Run {
	t.Helper()
	given := map[string]string{}
	for i := 0; i < len(parameters); i += 2 {
		given[parameters[i]] = parameters[i+1]
	}
	run, err := r.Submit(Request{Namespace: "test", Name: "run", Identity: "one", Template: parse(t, spec), Parameters: given})
	require.NoError(t, err)
	return run
}

func getRun(t *testing.T, r *Runner) Run {
	t.Helper()
	run, ok := r.Run("test", "run")
	require.True(t, ok)
	return run
}

// waitEnded waits for the end of the run.
func waitEnded(t *testing.T, r *Runner) Run {
	t.Helper()
	var run Run
	eventually(t, "the run ends", func() bool {
		run = getRun(t, r)
		return run.Phase.Ended()
	})
	return run
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, soon, 5*time.Millisecond, what)
}

func stepOf(t *testing.T, run Run, path string) Step {
	t.Helper()
	for _, s := range run.Steps {
		if s.Path == path {
			return s
		}
	}
	require.Fail(t, "no step "+path)
	return Step{}
}

// process waits for the process of a step's newest attempt, and for a file that it makes.
func process(t *testing.T, r *Runner, path, file string) pod.Handle {
	t.Helper()
	var out pod.Handle
	eventually(t, "the step runs", func() bool {
		run, ok := r.Run("test", "run")
		if !ok {
			return false
		}
		s := stepOf(t, run, path)
		if len(s.Attempts) == 0 {
			return false
		}
		out.PID = s.Attempts[len(s.Attempts)-1].PID
		_, err := os.Stat(file)
		return out.PID != 0 && err == nil
	})
	r.mu.Lock()
	one := r.runs[key{"test", "run"}]
	r.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	out.StartID = one.rec.Steps[path].last().StartID
	return out
}

func text(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(raw)
}

// file is a path in a folder of the test's own.
func file(t *testing.T, name string) string { return filepath.Join(t.TempDir(), name) }
