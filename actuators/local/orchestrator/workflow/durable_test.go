package workflow

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/statefile"
)

// Three steps, the second of which waits for a file, and records each start of it. Its
// exit status is 3 until a file "good" exists beside.
func waiting(dir string) string {
	return `
templates:
  - name: main
    dag: {tasks: [{name: a, template: a}, {name: b, template: b, dependencies: [a]}, {name: c, template: c, dependencies: [b]}]}
  - {name: a, container: ` + shell("echo a >>"+dir+"/log") + `}
  - {name: b, container: ` + shell("echo b >>"+dir+"/log; touch "+dir+"/b; until [ -e "+dir+"/go ]; do sleep 0.01; done; [ -e "+dir+"/good ] || exit 3") + `}
  - {name: c, container: ` + shell("echo c >>"+dir+"/log") + `}`
}

// startDaemon runs a daemon that submits a run, and waits until step b runs.
func startDaemon(t *testing.T, dir, work, kills string) (kill func(), b pod.Handle) {
	t.Helper()
	yaml := filepath.Join(t.TempDir(), "flow.yaml")
	require.NoError(t, os.WriteFile(yaml, []byte("metadata: {name: flow, namespace: test}\nspec:\n  entrypoint: main\n"+indent(waiting(work))), 0o600))
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), daemonRole+"="+dir+" "+yaml, daemonKills+"="+kills)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	killed := false
	kill = func() {
		if !killed {
			killed = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(kill)
	eventually(t, "the second step runs", func() bool {
		var rec record
		err := statefile.Read(filepath.Join(dir, "test_run", recordName), &rec)
		if err != nil || rec.Steps["b"] == nil || rec.Steps["b"].last() == nil {
			return false
		}
		last := rec.Steps["b"].last()
		b = pod.Handle{PID: last.PID, StartID: last.StartID}
		_, err = os.Stat(work + "/b")
		return b.PID != 0 && err == nil
	})
	return kill, b
}

func touch(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, nil, 0o600))
}

func TestAStepSurvivesItsDaemon(t *testing.T) {
	for name, row := range map[string]struct {
		before func(t *testing.T, work string) // between the daemon's end and the next start
		after  func(t *testing.T, work string)
		phase  Phase
		log    string
		code   int
	}{
		"and is adopted": {
			func(t *testing.T, work string) { touch(t, work+"/good") },
			func(t *testing.T, work string) { touch(t, work+"/go") }, Succeeded, "a\nb\nc\n", 0,
		},
		"and fails, adopted": {
			func(*testing.T, string) {},
			func(t *testing.T, work string) { touch(t, work+"/go") }, Failed, "a\nb\n", 3,
		},
		"and ends while nobody looks": {
			func(t *testing.T, work string) { touch(t, work+"/good"); touch(t, work+"/go") },
			func(*testing.T, string) {}, Succeeded, "a\nb\nc\n", 0,
		},
		"and fails while nobody looks": {
			func(t *testing.T, work string) { touch(t, work+"/go") },
			func(*testing.T, string) {}, Failed, "a\nb\n", 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, work := t.TempDir(), t.TempDir()
			kill, b := startDaemon(t, dir, work, "")
			_, err := New(Options{Dir: dir})
			require.ErrorIs(t, err, statefile.ErrInUse)
			kill()
			require.True(t, pod.Alive(b.PID, b.StartID), "it goes on")
			row.before(t, work)
			if _, err := os.Stat(work + "/go"); err == nil {
				eventually(t, "it ends", func() bool { return !pod.Alive(b.PID, b.StartID) })
			}
			r := newRunner(t, Options{Dir: dir})
			row.after(t, work)
			run := waitEnded(t, r)
			require.Equal(t, row.phase, run.Phase, run.Message)
			require.Equal(t, row.log, text(t, work+"/log"), "nothing is begun twice")
			require.Equal(t, row.code, *stepOf(t, run, "b").Attempts[0].ExitCode)
		})
	}
}

// The daemon is killed after it has started a process, and before it has recorded its PID.
func TestAStepWithoutARecordedPIDIsFound(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // documented: elsewhere the environment of another process can't be read
	}
	dir, work := t.TempDir(), t.TempDir()
	kill, _ := startDaemon(t, dir, work, "")
	kill()
	edit(t, dir, func(rec *record) { rec.Steps["b"].last().PID, rec.Steps["b"].last().StartID = 0, "" })
	r := newRunner(t, Options{Dir: dir})
	touch(t, work+"/good")
	touch(t, work+"/go")
	run := waitEnded(t, r)
	require.Equal(t, Succeeded, run.Phase, run.Message)
	require.Equal(t, "a\nb\nc\n", text(t, work+"/log"))
}

func edit(t *testing.T, dir string, change func(*record)) {
	t.Helper()
	var rec record
	path := filepath.Join(dir, "test_run", recordName)
	require.NoError(t, statefile.Read(path, &rec))
	change(&rec)
	require.NoError(t, statefile.Write(path, &rec))
}

// After SIGKILL to the whole group there is no exit status: the step is retried, once.
func TestAStepWithAnUnknownExitStatusIsRetriedOnce(t *testing.T) {
	dir, work := t.TempDir(), t.TempDir()
	kill, b := startDaemon(t, dir, work, "")
	kill()
	require.NoError(t, syscall.Kill(-b.PID, syscall.SIGKILL))
	eventually(t, "it is dead", func() bool { return !pod.Alive(b.PID, b.StartID) })

	r := newRunner(t, Options{Dir: dir})
	eventually(t, "it is begun again", func() bool { return len(stepOf(t, getRun(t, r), "b").Attempts) == 2 })
	require.Equal(t, Running, getRun(t, r).Phase)
	require.Contains(t, stepOf(t, getRun(t, r), "b").Attempts[0].Message, "its exit status is unknown")
	process(t, r, "b", work+"/b")
	closeRunner(t, r, Detach)
	edit(t, dir, func(rec *record) { b = pod.Handle{PID: rec.Steps["b"].last().PID} })
	require.NoError(t, syscall.Kill(-b.PID, syscall.SIGKILL))
	eventually(t, "it is dead", func() bool { return errors.Is(syscall.Kill(b.PID, 0), syscall.ESRCH) || zombie(b.PID) })

	run := waitEnded(t, newRunner(t, Options{Dir: dir}))
	require.Equal(t, Error, run.Phase, "once, and not for ever")
	require.Len(t, stepOf(t, run, "b").Attempts, 2)
	require.Contains(t, run.Message, "its exit status is unknown")
}

func zombie(pid int) bool {
	var status syscall.WaitStatus
	_, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil) // our child: the process that began it is this one
	return err == nil && status.Signaled()
}

func TestKillWithParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // documented: only the kernel of Linux can do it
	}
	dir, work := t.TempDir(), t.TempDir()
	kill, b := startDaemon(t, dir, work, "1")
	kill()
	eventually(t, "it dies with the daemon", func() bool { return !pod.Alive(b.PID, b.StartID) })
}

func TestAnUnreadableRecordIsIgnored(t *testing.T) {
	dir := t.TempDir()
	r := newRunner(t, Options{Dir: dir})
	submit(t, r, "templates: [{name: main, container: "+shell("true")+"}]")
	waitEnded(t, r)
	closeRunner(t, r, Detach)
	bad, half := filepath.Join(dir, "test_bad"), filepath.Join(dir, "test_half")
	require.NoError(t, errors.Join(os.Mkdir(bad, 0o700), os.Mkdir(half, 0o700), os.WriteFile(filepath.Join(bad, recordName), []byte("{"), 0o600)))

	r = newRunner(t, Options{Dir: dir})
	require.Len(t, r.Runs(), 1)
	require.Equal(t, Succeeded, getRun(t, r).Phase, "what ended is known still")
	require.DirExists(t, bad)
	_, err := os.Stat(half)
	require.ErrorIs(t, err, fs.ErrNotExist, "one that was being begun, or removed")
}

// A run keeps the template that it was submitted with. If this program no longer supports
// it, the run ends.
func TestARunThatCantBeResumed(t *testing.T) {
	dir, work := t.TempDir(), t.TempDir()
	kill, b := startDaemon(t, dir, work, "")
	kill()
	require.NoError(t, syscall.Kill(-b.PID, syscall.SIGKILL))
	edit(t, dir, func(rec *record) { rec.Template.Spec.Entrypoint = "absent" })
	run := waitEnded(t, newRunner(t, Options{Dir: dir}))
	require.Equal(t, Error, run.Phase)
	require.Contains(t, run.Message, `there is no template "absent"`)
}

// No step is lost or started twice, however often and whenever the daemon is killed.
func TestKilledRepeatedly(t *testing.T) {
	rounds := 1
	if os.Getenv("SCANFLOW_SOAK") != "" {
		rounds = 20
	}
	for i := range rounds {
		t.Run(fmt.Sprint(i), func(t *testing.T) { killAgainAndAgain(t, rand.New(rand.NewPCG(uint64(i), 0))) })
	}
}

func killAgainAndAgain(t *testing.T, random *rand.Rand) {
	const kills = 10
	dir, work := t.TempDir(), t.TempDir()
	var spec strings.Builder
	spec.WriteString("metadata: {name: flow, namespace: test}\nspec:\n  entrypoint: main\n  templates:\n  - name: main\n    dag:\n      tasks:\n      - {name: s0, template: step}\n")
	for i := 1; i < 3*kills; i++ {
		fmt.Fprintf(&spec, "      - {name: s%d, template: step, dependencies: [s%d]}\n", i, i-1)
	}
	spec.WriteString("  - name: step\n    container: " + shell("echo $HOSTNAME >>"+work+"/log") + "\n")
	yaml := filepath.Join(work, "flow.yaml")
	require.NoError(t, os.WriteFile(yaml, []byte(spec.String()), 0o600))
	for range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), daemonRole+"="+dir+" "+yaml, "GORACE=atexit_sleep_ms=0")
		cmd.Stderr = os.Stderr
		require.NoError(t, cmd.Start())
		eventually(t, "it is begun", func() bool { _, err := os.Stat(filepath.Join(dir, "test_run", recordName)); return err == nil })
		<-time.After(time.Duration(random.IntN(120)) * time.Millisecond)
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
	}
	r := newRunner(t, Options{Dir: dir})
	run := waitEnded(t, r)
	require.Equal(t, Succeeded, run.Phase, run.Message)
	times := map[string]int{}
	for line := range strings.Lines(text(t, work+"/log")) {
		times[line[:strings.LastIndex(line, "-")]]++
	}
	require.Len(t, times, 3*kills)
	for step, n := range times {
		require.Equal(t, 1, n, "%s was run more than once", step)
	}
}

// slowPlacer returns a step's node only once the Runner is being closed.
type slowPlacer struct{ asked, closing chan struct{} }

func (p slowPlacer) Place(Pod) (string, error) {
	close(p.asked)
	<-p.closing
	return "node", nil
}
func (slowPlacer) Cores(string) pod.Cores { return nil }
func (slowPlacer) Adopt(Pod, string)      {}
func (slowPlacer) Release(string)         {}

func TestAStepThatIsBeingStartedIsLeftToTheNextRunner(t *testing.T) {
	dir, count := t.TempDir(), file(t, "count")
	place := slowPlacer{make(chan struct{}), make(chan struct{})}
	r := newRunner(t, Options{Dir: dir, Place: place})
	submit(t, r, "templates: [{name: main, container: "+shell("echo x >>"+count)+"}]")
	<-place.asked
	closed := make(chan error, 1)
	go func() { closed <- r.Close(t.Context(), Detach) }()
	<-r.ctx.Done()
	close(place.closing)
	require.NoError(t, <-closed)
	_, err := os.Stat(count)
	require.ErrorIs(t, err, fs.ErrNotExist)

	run := waitEnded(t, newRunner(t, Options{Dir: dir}))
	require.Equal(t, Succeeded, run.Phase, run.Message)
	require.Len(t, stepOf(t, run, "").Attempts, 1)
	require.Equal(t, "x\n", text(t, count))
}
