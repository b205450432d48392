package workflow

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/engine"
)

func TestAFailedStepIsRetried(t *testing.T) {
	r := newRunner(t, Options{})
	count := file(t, "count")
	submit(t, r, `
templates:
  - name: main
    retryStrategy: {limit: "3", backoff: {duration: 20ms, factor: 2}}
    outputs: {parameters: [{name: tries, valueFrom: {path: /n}}]}
    container:
      command: [sh, -c]
      args: ['echo x >>`+count+`; n=$(wc -l <`+count+`); echo $n; echo $n >{{outputs.parameters.tries.path}}; test $n -ge 3 || exit 4']`)
	run := waitEnded(t, r)
	require.Equal(t, Succeeded, run.Phase, run.Message)
	require.Equal(t, map[string]string{"tries": "3"}, run.Outputs)
	attempts := stepOf(t, run, "").Attempts
	require.Len(t, attempts, 3)
	for i, a := range attempts {
		require.Equal(t, fmt.Sprintf("%d\n", i+1), text(t, a.Log), "a log for each attempt")
		require.Equal(t, []int{4, 4, 0}[i], *a.ExitCode)
	}
	require.GreaterOrEqual(t, attempts[1].StartedAt.Sub(attempts[0].FinishedAt), 20*time.Millisecond)
	require.GreaterOrEqual(t, attempts[2].StartedAt.Sub(attempts[1].FinishedAt), 40*time.Millisecond)
}

func TestTheMessageNamesTheFailedStepAndItsLog(t *testing.T) {
	for name, row := range map[string]struct {
		step  string
		phase Phase
		want  string
	}{
		"exit status":      {"container: " + shell("echo broken; exit 7"), Failed, "bad: exit status 7; its log is "},
		"signal":           {"container: " + shell("sh -c 'kill -9 $PPID'; true"), Failed, "bad: exit status 137; its log is "},
		"no such program":  {"container: {command: [no-such-program]}", Error, `bad: start no-such-program: exec: "no-such-program": executable file not found in $PATH; its log is `},
		"tried again":      {"retryStrategy: {limit: 1}\n    container: " + shell("exit 7"), Failed, "bad: attempt 2: exit status 7; its log is "},
		"missing output":   {"outputs: {artifacts: [{name: model, path: /m}]}\n    container: {command: [\"true\", \"{{outputs.artifacts.model.path}}\"]}", Error, "bad: it left no output artifact model: "},
		"too long a value": {"outputs: {parameters: [{name: x, valueFrom: {path: /x}}]}\n    container: {command: [sh, -c, \"head -c 300000 /dev/zero >{{outputs.parameters.x.path}}\"]}", Error, "bad: it left no output parameter x: "},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t, Options{})
			submit(t, r, `
templates:
  - name: main
    dag: {tasks: [{name: bad, template: bad}, {name: after, template: bad, dependencies: [bad]}]}
  - name: bad
    `+row.step)
			run := waitEnded(t, r)
			require.Equal(t, row.phase, run.Phase)
			require.True(t, strings.HasPrefix(run.Message, row.want), run.Message)
			bad := stepOf(t, run, "bad")
			log := bad.Attempts[len(bad.Attempts)-1].Log
			require.Contains(t, run.Message, log)
			if row.phase == Failed {
				require.FileExists(t, log)
			}
			require.Equal(t, Omitted, stepOf(t, run, "after").Phase)
			require.Contains(t, stepOf(t, run, "after").Message, "bad, which it waits for, did not succeed")
		})
	}
}

func TestOptionalOutputs(t *testing.T) {
	r := newRunner(t, Options{})
	submit(t, r, `
templates:
  - name: main
    dag:
      tasks:
        - {name: a, template: a}
        - {name: b, template: b, dependencies: [a], arguments: {artifacts: [{name: file, from: "{{tasks.a.outputs.artifacts.file}}"}], parameters: [{name: word, value: "{{tasks.a.outputs.parameters.word}}"}]}}
  - name: a
    outputs:
      artifacts: [{name: file, path: /f, optional: true}]
      parameters: [{name: word, valueFrom: {path: /w, default: nothing}}]
    container: {command: ["true", "{{outputs.artifacts.file.path}}", "{{outputs.parameters.word.path}}"]}
  - name: b
    inputs: {artifacts: [{name: file, path: /f, optional: true}], parameters: [{name: word}]}
    container: {command: [sh, -c, "test ! -e {{inputs.artifacts.file.path}} && test {{inputs.parameters.word}} = nothing"]}`)
	run := waitEnded(t, r)
	require.Equal(t, Succeeded, run.Phase, run.Message)
}

func TestFailFast(t *testing.T) {
	for name, row := range map[string]struct {
		field string
		want  Phase
	}{"by default": {"", Omitted}, "switched off": {"failFast: false, ", Succeeded}} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t, Options{})
			failed := file(t, "failed")
			submit(t, r, `
templates:
  - name: main
    dag: {`+row.field+`tasks: [{name: bad, template: bad}, {name: slow, template: slow}, {name: next, template: good, dependencies: [slow]}]}
  - {name: bad, container: `+shell("exit 1")+`}
  - {name: slow, container: `+shell("until [ -e "+failed+" ]; do sleep 0.01; done")+`}
  - {name: good, container: `+shell("true")+`}`)
			eventually(t, "one has failed", func() bool { return stepOf(t, getRun(t, r), "bad").Phase == Failed })
			require.NoError(t, os.WriteFile(failed, nil, 0o600))
			run := waitEnded(t, r)
			require.Equal(t, Failed, run.Phase)
			require.Equal(t, Succeeded, stepOf(t, run, "slow").Phase, "what runs already ends by itself")
			require.Equal(t, row.want, stepOf(t, run, "next").Phase)
		})
	}
}

// sleeper is a step that has a child in its process group, and signals when it runs.
func sleeper(at, extra string) string {
	return `
` + extra + `
templates:
  - name: main
    dag: {tasks: [{name: slow, template: slow}, {name: after, template: slow, dependencies: [slow]}]}
  - name: slow
    STEP
    container: ` + shell("sleep 600 & echo $! >"+at+"; wait")
}

// child is the process that a sleeper has started.
func child(t *testing.T, at string) int {
	t.Helper()
	var pid int
	_, err := fmt.Sscan(text(t, at), &pid)
	require.NoError(t, err)
	return pid
}

func gone(t *testing.T, pid int) {
	t.Helper()
	eventually(t, "the process is gone", func() bool {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(raw), ") Z ")
	})
}

func TestDeadlinesAndCancellationEndTheWholeGroup(t *testing.T) {
	for name, row := range map[string]struct {
		extra, step string
		cancel      bool
		want, after string
	}{
		"of the step": {"", "activeDeadlineSeconds: 1", false, "slow: it had not ended within its activeDeadlineSeconds; its log is ", "slow, which it waits for, did not succeed"},
		"of the run":  {"activeDeadlineSeconds: 1", "", false, "it had not ended within 1s", "it had not ended within 1s"},
		"of retries":  {"", "retryStrategy: {limit: 3, backoff: {duration: 5ms, maxDuration: 300ms}}", false, "slow: it had not ended within its maxDuration; its log is ", "slow, which it waits for, did not succeed"},
		"cancelled":   {"", "", true, "nobody wants it", "nobody wants it"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t, Options{})
			at := file(t, "pid")
			submit(t, r, strings.ReplaceAll(sleeper(at, row.extra), "STEP", row.step))
			p := process(t, r, "slow", at)
			eventually(t, "the child is known", func() bool { return text(t, at) != "" })
			if row.cancel {
				require.NoError(t, r.Cancel("test", "run", "nobody wants it"))
				require.NoError(t, r.Cancel("test", "run", "the first reason stays"))
			}
			run := waitEnded(t, r)
			require.Equal(t, Failed, run.Phase)
			require.True(t, strings.HasPrefix(run.Message, row.want), run.Message)
			require.Equal(t, Omitted, stepOf(t, run, "after").Phase)
			require.Equal(t, row.after, stepOf(t, run, "after").Message)
			require.False(t, pod.Alive(p.PID, p.StartID))
			gone(t, child(t, at))
			require.NoError(t, r.Cancel("test", "run", "too late"))
			require.Equal(t, run, getRun(t, r))
		})
	}
	r := newRunner(t, Options{})
	require.ErrorIs(t, r.Cancel("test", "absent", ""), ErrUnknownRun)
}

// The clock is stopped, so that a step is observed during its back-off.
func TestBackOffIsKeptAcrossARestart(t *testing.T) {
	dir, clock := t.TempDir(), engine.NewManualClock(time.Unix(1_700_000_000, 0))
	r := newRunner(t, Options{Dir: dir, Clock: clock})
	submit(t, r, "templates: [{name: main, retryStrategy: {limit: 1, backoff: {duration: 1h}}, container: "+shell("exit 1")+"}]")
	eventually(t, "it waits", func() bool { return stepOf(t, getRun(t, r), "").Phase == Pending })
	require.Contains(t, stepOf(t, getRun(t, r), "").Message, "exit status 1; attempt 2 begins at 2023-11-14T23:13:20Z")
	closeRunner(t, r, Detach)
	clock.Advance(59 * time.Minute)
	r = newRunner(t, Options{Dir: dir, Clock: clock})
	eventually(t, "it waits still", func() bool { return clock.Waiting() > 0 })
	require.Len(t, stepOf(t, getRun(t, r), "").Attempts, 1)
	clock.Advance(time.Minute)
	require.Equal(t, Failed, waitEnded(t, r).Phase)
	require.Len(t, stepOf(t, getRun(t, r), "").Attempts, 2)
}

func TestRetention(t *testing.T) {
	clock := engine.NewManualClock(time.Unix(1_700_000_000, 0))
	r := newRunner(t, Options{Clock: clock})
	spec := "templates: [{name: main, container: " + shell("true") + "}]"
	one := func(i int) {
		_, err := r.Submit(Request{Namespace: "test", Name: fmt.Sprintf("run-%d", i), Identity: "one", Template: parse(t, spec)})
		require.NoError(t, err)
		eventually(t, "it ends", func() bool {
			run, ok := r.Run("test", fmt.Sprintf("run-%d", i))
			return ok && run.Phase.Ended()
		})
	}
	for i := range keepRuns + 3 {
		one(i)
	}
	require.Len(t, r.Runs(), keepRuns+3, "each is kept for a while, so that its end is seen")
	clock.Advance(keepMinimum)
	one(100)
	eventually(t, "the oldest go", func() bool { return len(r.Runs()) == keepRuns })
	require.Equal(t, "run-100", r.Runs()[0].Name)
	clock.Advance(keepFor)
	one(101)
	eventually(t, "all the old ones go", func() bool { return len(r.Runs()) == 1 })
	folders, err := filepath.Glob(filepath.Join(r.opts.Dir, "test_*"))
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(r.opts.Dir, "test_run-101")}, folders)
}

// While the record can't be saved, no process is started.
func TestNothingStartsBeforeItIsSaved(t *testing.T) {
	r := newRunner(t, Options{})
	began, second := file(t, "began"), file(t, "second")
	submit(t, r, `
templates:
  - name: main
    dag: {tasks: [{name: a, template: a}, {name: b, template: b, dependencies: [a]}]}
  - {name: a, container: `+shell("touch "+began+"; until [ -e "+began+".go ]; do sleep 0.01; done")+`}
  - {name: b, container: `+shell("touch "+second)+`}`)
	process(t, r, "a", began)
	record := filepath.Join(getRun(t, r).Folder, recordName)
	// A folder in the record's place can't be replaced by a file.
	require.NoError(t, os.Rename(record, record+".away"))
	require.NoError(t, os.MkdirAll(filepath.Join(record, "x"), 0o700))
	require.NoError(t, os.WriteFile(began+".go", nil, 0o600))
	one := r.runs[key{"test", "run"}]
	eventually(t, "the end of a is known", func() bool {
		one.mu.Lock()
		defer one.mu.Unlock()
		return one.rec.Steps["a"].last().Phase.Ended() && one.dirty
	})
	require.Never(t, func() bool { _, err := os.Stat(second); return err == nil }, 200*time.Millisecond, 20*time.Millisecond)
	require.Equal(t, Running, getRun(t, r).Phase)
	require.NoError(t, os.RemoveAll(record))
	require.NoError(t, os.Rename(record+".away", record))
	require.Equal(t, Succeeded, waitEnded(t, r).Phase)
	require.FileExists(t, second)
}

func TestStopAllEndsTheRun(t *testing.T) {
	dir, at := t.TempDir(), file(t, "pid")
	r := newRunner(t, Options{Dir: dir})
	submit(t, r, strings.ReplaceAll(sleeper(at, ""), "STEP", ""))
	p := process(t, r, "slow", at)
	closeRunner(t, r, StopAll)
	require.False(t, pod.Alive(p.PID, p.StartID))
	_, err := r.Submit(Request{Namespace: "test", Name: "late", Identity: "x", Template: parse(t, "templates: [{name: main, container: "+shell("true")+"}]")})
	require.ErrorIs(t, err, ErrClosed)

	run := waitEnded(t, newRunner(t, Options{Dir: dir}))
	require.Equal(t, Failed, run.Phase)
	require.Equal(t, "ended with the orchestrator", run.Message)
}

// A step that ignores SIGTERM is killed when Close's context ends.
func TestCloseKillsWhenItsContextEnds(t *testing.T) {
	r := newRunner(t, Options{})
	at := file(t, "pid")
	submit(t, r, "templates: [{name: main, container: "+shell("trap '' TERM; sleep 600 & echo $! >"+at+"; wait; wait")+"}]")
	p := process(t, r, "", at)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	require.NoError(t, r.Close(ctx, StopAll))
	require.Less(t, time.Since(began), soon)
	require.False(t, pod.Alive(p.PID, p.StartID))
}
