package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// debugParts are the agents of S1, in the order of the scenario.
var debugParts = []string{"tracker", "checker", "planner", "executor"}

// part is a process that runs some of the agents, under an account that may do what
// those need and nothing else. When it is killed, the next has the same address, and a
// data folder of its own, as a pod has.
type part struct {
	*daemon
	stage *debugged
	name  string // of the one agent; "" runs all
	args  []string
	data  []string // folders, of each life
}

// part makes the account, and the process that is to be started.
func (s *debugged) part(name string, args ...string) *part {
	s.t.Helper()
	account, manifests := "scanflow", s.agents
	p := &part{stage: s, name: name}
	if name != "" {
		account, manifests = "scanflow-"+name, filepath.Join(s.agents, name+".yaml")
		p.args = []string{"--install", account, "--agents", "scanflow.dev/part=" + name}
	}
	config := s.cluster.KubeconfigFor(s.t, s.namespace, account)
	roles, code := scanflow(s.t, "rbac", "-f", manifests, "--namespace", s.namespace, "--name", account, "--service-account", account, "--install", account)
	require.Equal(s.t, 0, code, roles)
	s.cluster.Apply(s.t, roles)
	p.args = append(p.args, "--kubernetes", "--kubeconfig", config, "--namespace", s.namespace, "--lease-duration", "3s",
		"--mlflow", s.tracker.URL(), "--prometheus", s.prometheus)
	p.args = append(p.args, args...)
	return p
}

func (p *part) start() {
	p.stage.t.Helper()
	data := p.stage.t.TempDir()
	p.data = append(p.data, data)
	p.daemon = startDaemon(p.stage.t, append(slices.Clone(p.args), "--data", data)...)
}

// four makes a process for each agent. They know each other as peers, by a token.
func (s *debugged) four() map[string]*part {
	s.t.Helper()
	dir := s.t.TempDir()
	token, senders := filepath.Join(dir, "token"), filepath.Join(dir, "senders.yaml")
	require.NoError(s.t, os.WriteFile(token, []byte("between-the-four\n"), 0o600))
	require.NoError(s.t, os.WriteFile(senders, []byte(fmt.Sprintf("senders: [{name: scanflow, peer: true, bearerToken: {file: %q}}]\n", token)), 0o600))
	address := map[string]string{}
	for _, name := range debugParts {
		address[name] = fmt.Sprintf("127.0.0.1:%d", freePort(s.t))
	}
	out := map[string]*part{}
	for _, name := range debugParts {
		args := []string{"--listen", address[name], "--senders", senders, "--peer-token-file", token}
		for _, other := range debugParts {
			if other != name {
				args = append(args, "--peer", "http://"+address[other])
			}
		}
		out[name] = s.part(name, args...)
	}
	return out
}

// did are the decisions that a process carried out in all of its lives, the oldest
// first, from its journals.
func (p *part) did() (out []journal.Row) {
	t := p.stage.t
	for _, data := range p.data {
		r, err := journal.OpenReader(t.Context(), app.JournalDir(data))
		require.NoError(t, err)
		rows, err := r.Decisions(t.Context(), journal.Filter{Verdict: engine.Admitted, OldestFirst: true})
		require.NoError(t, err)
		require.NoError(t, r.Close())
		out = append(out, rows...)
	}
	return out
}

// times is how often a process did what stepOf says, or begins with.
func (p *part) times(what string) (n int) {
	for _, r := range p.did() {
		if strings.HasPrefix(stepOf(&r), what) {
			n++
		}
	}
	return n
}

// didAll are those of several processes, the oldest first.
func didAll(parts ...*part) (out []journal.Row) {
	for _, p := range parts {
		out = append(out, p.did()...)
	}
	slices.SortStableFunc(out, func(a, b journal.Row) int { return a.At.Compare(b.At) })
	return out
}

// stepOf is a decision as the scenario has it: who did what.
func stepOf(r *journal.Row) string {
	what := ""
	for _, parameter := range []string{"type", "template", "version"} {
		if text, is := r.With[parameter].(string); is {
			what = text
		}
	}
	return strings.Join([]string{r.Agent, r.Primitive, what}, " ")
}
