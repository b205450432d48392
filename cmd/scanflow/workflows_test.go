package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// slowWorkflow lists three words, and then has a step with a child that goes on and on.
const slowWorkflow = `apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: slow, namespace: prod}
spec:
  entrypoint: main
  templates:
    - name: main
      dag:
        tasks:
          - {name: list, template: list}
          - {name: hold, template: hold, dependencies: [list]}
          - {name: after, template: list, dependencies: [hold]}
    - name: list
      container: {image: busybox, command: [printf, 'eins\nzwölf\n']}
    - name: hold
      container: {image: busybox, command: [sh, -c, "sleep 600 & echo $! $$$$ >PIDS.new; mv PIDS.new PIDS; echo holding; wait"]}
`

const slowPolicy = `package scanflow.strategies.t.slow

propose contains {"primitive": "workflow.run", "with": {"template": "slow"}, "reason": "wanted", "because": []} if {
	not input.memory["t.slow"].last["workflow.run"]
}
`

const slowAgent = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: runner, namespace: test}
spec:
  targets: {static: [{name: api, namespace: prod}]}
  triggers: [{name: tick, every: 100ms}]
  strategies: [t.slow]
  primitives: [workflow.run]
`

// slowSite has an agent that runs the slow workflow once, and one that calls the app
// with the message of any workflow that fails.
func slowSite(t *testing.T) (s *site, pids string) {
	s = newSite(t)
	pids = filepath.Join(s.dir, "pids")
	s.write("workloads/slow.yaml", strings.ReplaceAll(slowWorkflow, "PIDS", pids))
	s.worker("enforce", "event: {type: dev.scanflow.workflow.failed}")
	s.write("policies/work.rego", strings.ReplaceAll(s.read("policies/work.rego"), "event.id", "event.data.message"))
	s.write("policies/slow.rego", slowPolicy)
	s.write("workers/runner.yaml", slowAgent)
	t.Cleanup(func() {
		var child, parent int
		if raw, err := os.ReadFile(pids); err == nil && t.Failed() { // nobody has ended them
			if _, err := fmt.Sscan(string(raw), &child, &parent); err == nil {
				_, _ = syscall.Kill(child, syscall.SIGKILL), syscall.Kill(parent, syscall.SIGKILL)
			}
		}
	})
	return s, pids
}

// terminal is a person who asks a daemon about its workflows.
type terminal struct {
	t     *testing.T
	flags []string
}

func (p *terminal) says(args ...string) string {
	p.t.Helper()
	out, code := scanflow(p.t, append(append([]string{"workflows"}, args...), p.flags...)...)
	require.Equal(p.t, 0, code, out)
	return out
}

func (p *terminal) refuses(args ...string) string {
	p.t.Helper()
	out, code := scanflow(p.t, append(append([]string{"workflows"}, args...), p.flags...)...)
	require.Equal(p.t, 1, code, out)
	return strings.TrimSpace(out)
}

// run waits until the only run is as wanted.
func (p *terminal) run(what string, wanted func(workflowLine) bool) (l workflowLine) {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		var lines []workflowLine
		require.NoError(p.t, json.Unmarshal([]byte(p.says("--json")), &lines))
		if len(lines) != 1 {
			return false
		}
		l = lines[0]
		return wanted(l)
	}, 20*time.Second, 20*time.Millisecond, what)
	return l
}

func TestAPersonCancelsAWorkflow(t *testing.T) {
	s, pidFile := slowSite(t)
	s.write("token", "s3cret")
	d := startDaemon(t, append(s.workerArgs(), "--workloads", s.dir+"/workloads", "--token-file", s.dir+"/token")...)
	anyone := terminal{t, []string{"--server", d.url}}
	ana := terminal{t, []string{"--server", d.url, "--token-file", s.dir + "/token"}}

	line := ana.run("the second step runs", func(l workflowLine) bool {
		_, err := os.Stat(pidFile)
		return err == nil && len(l.At) == 1 && l.At[0] == "hold"
	})
	require.Equal(t, workflowLine{
		Namespace: "prod", Name: line.Name, Template: "slow", Phase: workflow.Running, StartedAt: line.StartedAt, Done: 1, All: 3, At: []string{"hold"},
	}, line)
	require.Regexp(t, `(?m)^prod/`+line.Name+` +slow +Running +1/3 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(\d\S*\) +hold$`, ana.says())
	shown := ana.says("show", line.Name)
	for _, want := range []string{
		`^prod/` + line.Name + `  Running  1/3\n  template    slow\n`, `\n  folder      ` + filepath.Join(s.data, "local/workflows/prod_"+line.Name) + `\n`,
		`\nlist +1 +Succeeded +0 .* list\.0\n`, `\nhold +1 +Running +- .* hold\.0\n`, `\nafter +- +- +- +- +- +waits for hold\n`,
	} {
		require.Regexp(t, want, shown)
	}
	var whole workflow.Run
	require.NoError(t, json.Unmarshal([]byte(ana.says("show", "prod/"+line.Name, "--json")), &whole))
	require.Len(t, whole.Steps, 4)
	require.Equal(t, 0, *whole.Steps[1].Attempts[0].ExitCode)
	require.Equal(t, "eins\nzwölf\n", ana.says("logs", line.Name, "list"))
	require.Equal(t, "==> list, attempt 1 <==\neins\nzwölf\n==> hold, attempt 1 <==\nholding\n", ana.says("logs", line.Name))
	require.Equal(t, "scanflow: step after has not begun", ana.refuses("logs", line.Name, "after"))
	require.Contains(t, ana.refuses("logs", line.Name, "main"), "step main: there is no such step; these print: list, hold, after")
	require.Contains(t, ana.refuses("logs", line.Name, "hold", "--attempt", "2"), "attempt 2: there is no such step; it has 1 attempts")

	t.Run("unknown", func(t *testing.T) {
		for verb, more := range map[string][]string{"show": nil, "logs": nil, "cancel": {"--by", "ana"}} {
			require.Equal(t, "scanflow: there is no run absent; `scanflow workflows` lists them", ana.refuses(append([]string{verb, "absent"}, more...)...))
			require.Equal(t, "scanflow: not found: run prod/absent: there is no such run; `scanflow workflows` lists them", ana.refuses(append([]string{verb, "prod/absent"}, more...)...))
			require.Contains(t, ana.refuses(verb), "say which: scanflow workflows "+verb+" NAME")
		}
		require.Contains(t, ana.refuses(line.Name), "did you mean workflows show "+line.Name)
	})
	t.Run("unauthenticated", func(t *testing.T) {
		one := "/v1/workflows/prod/" + line.Name
		for _, path := range []string{"/v1/workflows", one, one + "/log?step=hold"} {
			code, body := d.get(path)
			require.Equal(t, http.StatusUnauthorized, code, body)
		}
		code, body := d.post(one+"/cancel", "application/json", `{"by": "mallory"}`)
		require.Equal(t, http.StatusUnauthorized, code, body)
		for _, args := range [][]string{nil, {"show", line.Name}, {"logs", line.Name}, {"cancel", line.Name, "--by", "mallory"}} {
			require.Contains(t, anyone.refuses(args...), "scanflow: wants the bearer token of --token-file; no token was shown")
		}
	})

	follower := command(t, append([]string{"workflows", "logs", line.Name, "hold", "--follow"}, ana.flags...)...)
	var followed strings.Builder
	follower.Stdout = &followed
	require.NoError(t, follower.Start())
	t.Cleanup(func() { _ = follower.Process.Kill() })
	var child, parent int
	_, err := fmt.Sscan(s.read("pids"), &child, &parent)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(child, 0))
	require.Equal(t, "prod/"+line.Name+" is being ended: cancelled by api, for \"ana\" (claimed): wrong data\n", ana.says("cancel", line.Name, "--by", "ana", "--why", "wrong data"))
	for _, pid := range []int{child, parent} {
		require.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil }, 10*time.Second, 10*time.Millisecond, "the step's processes are gone")
	}
	line = ana.run("it has failed", func(l workflowLine) bool { return l.Phase.Ended() })
	require.Equal(t, workflow.Failed, line.Phase)
	require.Equal(t, `cancelled by api, for "ana" (claimed): wrong data`, line.Message)
	require.NoError(t, follower.Wait(), "there is nothing more to follow")
	require.Regexp(t, `^holding\n(Terminated\n)?$`, followed.String(), "a shell may say how its child ended")
	require.Equal(t, "scanflow: conflict: run prod/"+line.Name+" has ended already: Failed", ana.refuses("cancel", line.Name, "--by", "bob"))

	s.calls(1)
	s.app.mu.Lock()
	require.JSONEq(t, `{"event": "cancelled by api, for \"ana\" (claimed): wrong data"}`, s.app.body[0], "the agents are told")
	s.app.mu.Unlock()
	d.metric(`scanflow_acts_total{agent="test/runner",dry_run="false",outcome="failed",primitive="workflow.run",strategy="t.slow"} 1`)
	held, code := scanflow(t, append([]string{"claims"}, ana.flags...)...)
	require.Equal(t, 0, code, held)
	require.NotContains(t, held, "workflow/slow", "its act has ended")
	d.stop()
	out, _ := scanflow(t, "decisions", "--data", s.data, "--verb", "workflow.run", "--verdict", "failed", "--wide")
	require.Regexp(t, `  workflow\.run\(template=slow\)  failed  .*  Failed, 3/3: cancelled by api, for "ana" \(claimed\): wrong data`, out)
	require.Equal(t, 3, strings.Count(out, "\n"), out)

	require.Contains(t, ana.refuses(), "no scanflow answers at ")
	later := terminal{t, []string{"--data", s.data}}
	require.Equal(t, line, later.run("the folder has it", func(workflowLine) bool { return true }))
	require.Regexp(t, `\nhold +1 +Failed +\d+ .* hold\.0 +cancelled by api, for "ana" \(claimed\): wrong data\n`, later.says("show", line.Name))
	require.Equal(t, followed.String(), later.says("logs", "prod/"+line.Name, "hold"))
	require.Equal(t, "scanflow: there is no run absent; `scanflow workflows` lists them", later.refuses("show", "absent"))
	require.Contains(t, (&terminal{t, []string{"--data", s.dir}}).refuses(), "no workflows have run with "+s.dir)
}

// The next daemon carries out what the last one had taken on, and settles the act.
func TestACancellationOutlivesTheDaemon(t *testing.T) {
	s, pidFile := slowSite(t)
	// It heeds SIGTERM only once it is let go.
	s.write("workloads/slow.yaml", strings.ReplaceAll(strings.Replace(slowWorkflow, "sleep 600 & echo", "trap '[ -e PIDS.go ] && exit' TERM; sleep 600 & echo", 1), "PIDS", pidFile))
	s.write("workloads/slow.yaml", strings.Replace(s.read("workloads/slow.yaml"), "; wait\"", "; while :; do sleep 0.02; done\"", 1))
	args := append(s.workerArgs(), "--workloads", s.dir+"/workloads")
	d := startDaemon(t, args...)
	ana := terminal{t, []string{"--server", d.url}}
	line := ana.run("the second step runs", func(workflowLine) bool { _, err := os.Stat(pidFile); return err == nil })
	require.Contains(t, ana.refuses("cancel", line.Name, "--data", s.dir), "no token was shown, since there is none in "+filepath.Join(s.dir, "token"), "nobody cancels without a credential")
	said := ana.says("cancel", line.Name, "--data", s.data)
	_, why, _ := strings.Cut(strings.TrimSpace(said), " is being ended: ")
	require.Regexp(t, `^cancelled by \S+ \(OS user, claimed\)$`, why)
	require.Equal(t, "scanflow: conflict: run prod/"+line.Name+" is being ended already: "+why, ana.refuses("cancel", line.Name, "--data", s.data))
	d.kill()
	require.NoError(t, os.WriteFile(pidFile+".go", nil, 0o600))
	d = startDaemon(t, args...)
	s.calls(1)
	d.metric(`scanflow_acts_total{agent="test/runner",dry_run="false",outcome="failed",primitive="workflow.run",strategy="t.slow"} 1`)
	ana = terminal{t, []string{"--server", d.url}}
	line = ana.run("it has ended", func(l workflowLine) bool { return l.Phase.Ended() })
	require.Equal(t, why, line.Message)
	d.stop()
	out, _ := scanflow(t, "decisions", "--data", s.data, "--verb", "workflow.run", "--verdict", "admitted", "--wide")
	require.Equal(t, 1, strings.Count(out, "Failed, 3/3: "+why), out)
}

func TestWithoutWorkloadsThereAreNoWorkflows(t *testing.T) {
	s := newSite(t)
	d := startDaemon(t, s.args()...)
	ana := terminal{t, []string{"--server", d.url}}
	for _, args := range [][]string{nil, {"show", "x"}, {"cancel", "x/y", "--data", s.data}} {
		require.Equal(t, "scanflow: not found: this scanflow runs no workflows: it was started without --workloads", ana.refuses(args...))
	}
	code, body := d.post("/v1/workflows/x/y/cancel", "application/json", `{"by": ""}`)
	require.Equal(t, http.StatusUnauthorized, code, body)
	d.stop()
}
