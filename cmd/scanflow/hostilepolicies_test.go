package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// soak reports whether all of the corpus is run, and each verdict waited for.
func soak() bool { return os.Getenv("SCANFLOW_SOAK") != "" }

// chosen is the part of the corpus that a run looks at: all of it in a soak, and else the
// rows with a quick verdict, and one of each so many of the others.
func chosen(oneOf int) []hostileFolder {
	slowOnes := 0
	return slices.DeleteFunc(corpus(), func(h hostileFolder) bool {
		if h.want != slow && h.want != inTime || soak() {
			return false
		}
		slowOnes++
		return (slowOnes-1)%oneOf != 0
	})
}

// daemons is how many daemons take the corpus between them.
const daemons = 8

// Whatever is saved: the daemon lives on, the other agent has its turns, no act comes of
// it, memory is bounded, and a mended folder is taken at once.
func TestHostilePoliciesUnderADaemon(t *testing.T) {
	rows := chosen(8)
	n := 0
	for group := range slices.Chunk(rows, (len(rows)+daemons-1)/daemons) {
		n++
		t.Run(fmt.Sprintf("daemon %d", n), func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			a.start()
			a.ticks("healthy", 1)
			for _, h := range group {
				began := time.Now()
				a.survives(t, h)
				t.Logf("%-50s %6.1f s %4d MB", h.name, time.Since(began).Seconds(), a.meter.resetPeak()>>20)
				if a.d.ended() {
					return
				}
			}
			a.d.stop()
		})
	}
}

// survives puts a case before the daemon.
func (a *arena) survives(t *testing.T, h hostileFolder) {
	t.Run(h.name, func(t *testing.T) {
		outer := a.t
		a.t, a.d.t = t, t
		defer func() { a.t, a.d.t = outer, outer }()
		pid, attempts, lives := a.d.cmd.Process.Pid, a.attempts(), a.restarts()
		saidBefore := len(a.d.text())
		a.save(h)
		switch {
		case h.want == explodes:
			a.until(func() bool { return a.attempts() > attempts }, "nothing is decided")
			require.Contains(t, a.d.text()[saidBefore:], "policies live")
			a.app.set(`{"load": 666}`)
			a.until(func() bool { return a.restarts() == lives+1 }, "it does not overrun")
			a.app.set(`{"load": 5}`)
			a.until(func() bool { return strings.Contains(a.scrape(), "scanflow_policy_quarantined{") }, "nothing is in quarantine")
		case h.want == inTime:
			a.until(func() bool { return a.attempts() > attempts }, "nothing is decided")
			a.app.set(`{"load": 666}`)
			a.ticks("victim", 2) // of which the second has seen it; the first may not have
			a.app.set(`{"load": 5}`)
			a.ticks("victim", 1)
		case h.want == slow && !soak():
			a.until(func() bool {
				return a.attempts() > attempts || strings.Contains(a.scrape(), "scanflow_policy_reload_in_progress 1")
			}, "nothing is tried")
		default:
			a.until(func() bool { return a.attempts() > attempts }, "nothing is decided")
			said := a.d.text()[saidBefore:]
			switch h.want {
			case refused:
				require.Contains(t, said, "policies refused")
				require.Contains(t, said, h.says)
			case taken:
				require.Contains(t, said, "policies live")
			default:
				for line := range strings.Lines(said) {
					if strings.Contains(line, "scanflow.policy") {
						t.Logf("%.600s", line)
					}
				}
			}
		}
		a.ticks("healthy", 3)
		a.mend()
		a.ticks("victim", 1)
		require.NotContains(t, a.d.text()[saidBefore:], "goroutine ", "a trace of a panic")
		require.NoError(t, syscall.Kill(pid, 0))
		require.LessOrEqual(t, a.restarts(), lives+1, "a policy file costs at most one restart")
		require.Empty(t, a.app.keys(), "no act came of it")
		require.Less(t, a.meter.peak(), int64(arenaBytes), "of memory")
	})
}

// At the start, the same: it runs, or says why it does not.
func TestAStartOnHostilePoliciesComesToAnEnd(t *testing.T) {
	for _, h := range chosen(24) {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			a.save(h)
			a.d = launch(t, a.args()...)
			meter := newMeter(t, a.d.cmd.Process.Pid)
			if h.want == slow && !soak() {
				require.Eventually(t, func() bool {
					return a.d.ended() || busy(a.d.cmd.Process.Pid) || strings.Contains(a.d.text(), `"@message":"running"`)
				}, arenaWithin, arenaLook)
			} else {
				require.Eventually(t, func() bool { return a.d.ended() || strings.Contains(a.d.text(), `"@message":"running"`) }, arenaWithin, arenaLook)
			}
			if a.d.ended() {
				err := <-a.d.exit
				require.ErrorContains(t, err, "exit status 1")
				require.Contains(t, a.d.text(), "load policies")
				require.Contains(t, a.d.text(), h.says)
			} else {
				require.NotEqual(t, refused, h.want)
				a.d.stop()
			}
			require.NotContains(t, a.d.text(), "goroutine ")
			require.Empty(t, a.app.keys())
			require.Less(t, meter.peak(), int64(arenaBytes))
		})
	}
}

// check and test end by themselves, and at once when they are interrupted.
func TestCommandsOnHostilePoliciesComeToAnEnd(t *testing.T) {
	for _, h := range chosen(12) {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			a.save(h)
			for _, args := range [][]string{{"check", "-f", a.agents, "--policies", a.policies}, {"test", a.policies}} {
				if h.want == slow && !soak() {
					out, code := signalled(t, syscall.SIGINT, args...)
					require.Contains(t, []int{0, 1, 2, exitInterrupted}, code, out)
					require.NotContains(t, out, "goroutine ")
					continue
				}
				out, code := scanflow(t, args...)
				require.NotContains(t, out, "goroutine ")
				require.NotContains(t, out, a.agents+": there is no such file")
				require.NotEmpty(t, out)
				switch {
				case h.want == refused:
					require.Contains(t, []int{1, 2}, code, out)
					require.Contains(t, out, h.says)
				case h.want == taken && args[0] == "check":
					require.Zero(t, code, out)
				}
			}
			require.Empty(t, a.app.keys())
		})
	}
}

// A stop is over in time while the daemon judges or asks what does not end, and no turn
// begins after it.
func TestAStopWhileHostilePoliciesAreJudgedIsOverInTime(t *testing.T) {
	for _, name := range []string{"a test that all others wait for", "20000 else", "types compared", "types in a set", "a guard that hangs"} {
		at := slices.IndexFunc(corpus(), func(h hostileFolder) bool { return h.name == name })
		require.GreaterOrEqual(t, at, 0, name)
		h := corpus()[at]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			a.write("agents/healthy.yaml", strings.NewReplacer("webhook: 1h", "webhook: 1ms", "bound: 1000000,", "bound: 10,").Replace(a.read("agents/healthy.yaml")))
			a.write("agents/victim.yaml", strings.Replace(a.read("agents/victim.yaml"), a.app.URL+"/call", "http://127.0.0.1:1/", 1))
			a.start()
			a.app.set(`{"load": 50}`)
			a.calls(1)
			a.save(h)
			a.until(func() bool { return busy(a.d.cmd.Process.Pid) }, "nothing is judged")
			n := len(a.app.keys())
			a.calls(n + 1)
			require.NoError(t, a.d.cmd.Process.Signal(syscall.SIGTERM))
			require.Eventually(t, func() bool { return a.d.ended() || strings.Contains(a.d.text(), `"@message":"stopping"`) }, arenaWithin, arenaLook)
			n = len(a.app.keys())
			select {
			case err := <-a.d.exit:
				require.NoError(t, err)
			case <-time.After(15 * time.Second):
				require.FailNow(t, "still running 15 s after SIGTERM")
			}
			require.LessOrEqual(t, len(a.app.keys()), n+1, "more than the act that was under way")
		})
	}
}

// The corpus is as large as it is said to be, and no two rows of it have one name.
func TestTheCorpusIsLarge(t *testing.T) {
	seen := map[string]bool{}
	kinds := map[verdict]int{}
	for _, h := range corpus() {
		require.False(t, seen[h.name], h.name)
		seen[h.name] = true
		kinds[h.want]++
	}
	require.Greater(t, len(seen), 200, fmt.Sprint(kinds))
}
