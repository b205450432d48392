package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// follower does what docs/kubernetes.md says, on a cluster as `make cluster` gives
// one, in a folder that stands for the checkout.
type follower struct {
	*reader
	running map[string]*exec.Cmd // by command, as the page has it
	latest  func() string        // the output of the last one started
	unload  func()               // ends the load
}

func newFollower(t *testing.T) *follower {
	t.Helper()
	c := testcluster.New(t)
	c.InstallCRDs(t, "agents", "ledgers")
	c.ProcessNodes(t, "node-1", "node-2")
	f := &follower{reader: read(t, "docs/kubernetes.md", "", ""), running: map[string]*exec.Cmd{}, unload: func() {}}
	t.Cleanup(func() { f.unload() })
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	for _, folder := range []string{"bin", "policies", "agents"} {
		require.NoError(t, os.Mkdir(filepath.Join(f.dir, folder), 0o750))
	}
	require.NoError(t, os.Symlink(filepath.Join(root, "deploy"), filepath.Join(f.dir, "deploy")))
	config, err := os.ReadFile(c.Kubeconfig())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(f.dir, "bin", "kubeconfig"), config, 0o600))
	controlplane, err := testcluster.Binary(t.Context())
	require.NoError(t, err)
	helm := exec.CommandContext(t.Context(), "go", "tool", "-modfile="+filepath.Join(root, ".ci", "tools", "go.mod"), "-n", "helm")
	helm.Dir = root
	path, err := helm.Output()
	require.NoError(t, err)
	f.program("kubectl", controlplane+" kubectl")
	f.program("helm", strings.TrimSpace(string(path)))
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(f.dir, "bin", "cluster"), filepath.Join(root, "cmd", "cluster")).CombinedOutput()
	require.NoError(t, err, string(out))
	kubectl := exec.CommandContext(t.Context(), filepath.Join(f.dir, "bin", "cluster"), "kubectl", "get", "nodes", "--kubeconfig", c.Kubeconfig())
	kubectl.Dir = root
	out, err = kubectl.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "node-2", "there is a kubectl where the machine has none")
	f.replace = strings.NewReplacer(
		"go run ./cmd/cluster prometheus", "cluster prometheus --listen 127.0.0.1:9090",
		"127.0.0.1:9090", fmt.Sprintf("127.0.0.1:%d", freePort(t)), "127.0.0.1:8283", fmt.Sprintf("127.0.0.1:%d", freePort(t)),
	)
	return f
}

// program puts a command on the path.
func (f *follower) program(name, does string) {
	f.t.Helper()
	script := "#!/bin/sh\nexec " + does + " \"$@\"\n"
	require.NoError(f.t, os.WriteFile(filepath.Join(f.dir, "bin", name), []byte(script), 0o700)) //nolint:gosec // it is to be run
}

func (f *follower) at(line string) *exec.Cmd {
	f.t.Helper()
	c := f.shell(f.replace.Replace(line)) // twice: what stands for a command has an address in it
	bin := filepath.Join(f.dir, "bin")
	c.Env = append(c.Env, "KUBECONFIG="+filepath.Join(bin, "kubeconfig"), "PATH="+bin+":"+pathOf(c.Env), "HELM_CACHE_HOME="+bin, "HELM_CONFIG_HOME="+bin, "HELM_DATA_HOME="+bin)
	return c
}

// pathOf is the PATH that counts of an environment: the last.
func pathOf(env []string) (path string) {
	for _, e := range env {
		if p, is := strings.CutPrefix(e, "PATH="); is {
			path = p
		}
	}
	return path
}

// begin runs a command until the test ends, or kills it.
func (f *follower) begin(command string) {
	f.t.Helper()
	log := filepath.Join(f.t.TempDir(), "log")
	out, err := os.Create(log)
	require.NoError(f.t, err)
	line := command
	if strings.HasPrefix(command, "scanflow run") && !strings.Contains(command, "--listen") {
		line += " --listen 127.0.0.1:0"
	}
	c := f.at("exec " + line)
	c.Stdout, c.Stderr = out, out
	require.NoError(f.t, c.Start())
	f.running[command] = c
	f.latest = func() string {
		raw, err := os.ReadFile(log)
		require.NoError(f.t, err)
		return string(raw)
	}
	said := f.latest
	f.t.Cleanup(func() {
		f.end(command, syscall.SIGTERM)
		_ = out.Close()
		if f.t.Failed() {
			f.t.Logf("%s:\n%s", command, said())
		}
	})
}

// end ends a command that was begun.
func (f *follower) end(command string, how syscall.Signal) {
	f.t.Helper()
	c := f.running[command]
	if c == nil {
		return
	}
	delete(f.running, command)
	_ = c.Process.Signal(how)
	done := make(chan struct{})
	go func() { defer close(done); _ = c.Wait() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		_ = c.Process.Kill()
		<-done
	}
}

// logs waits until the log of what was begun last has each of these lines.
func (f *follower) logs(lines string) {
	f.t.Helper()
	for line := range strings.Lines(lines) {
		want := clustered(f.replace.Replace(line))
		require.Eventually(f.t, func() bool { return strings.Contains(clustered(f.latest()), want) }, time.Minute, 50*time.Millisecond, "it never says %s", want)
	}
}

// does a step of the page, and holds what it prints against what the page shows. What
// only looks is done again until it shows that: status and events follow acts.
func (f *follower) does(s step) {
	f.t.Helper()
	output := func() string {
		out, err := f.at(s.command).CombinedOutput()
		var exit *exec.ExitError
		if err != nil {
			require.ErrorAs(f.t, err, &exit, s.command)
		}
		return clustered(string(out))
	}
	want := clustered(s.shown)
	if !strings.HasPrefix(s.command, "kubectl get ") && !strings.HasPrefix(s.command, "kubectl events ") {
		require.Equal(f.t, want, output(), s.command)
		return
	}
	var last string
	pause := time.NewTicker(100 * time.Millisecond)
	defer pause.Stop()
	for end := time.Now().Add(time.Minute); last != want && time.Now().Before(end); <-pause.C {
		last = output()
	}
	require.Equal(f.t, want, last, s.command)
}

// clustered takes out of an output what differs from cluster to cluster.
func clustered(out string) string {
	out = normal(out)
	for _, rule := range [][2]string{
		{`[ \t]+`, " "},
		{`\b(\d+[dhms])+\b`, "AGE"},
		{`\b[\w.-]+_[0-9a-f]{8}\b`, "REPLICA"},
		{`\b[0-9a-f]{32}\b`, "IDENTITY"},
		{`\b[0-9a-f]{16}-\d+\b`, "FIRING"},
		{`\b1\d{12} \d+ `, "TERM SEQ "},
		{`generation=\S+`, "generation=G"},
		{`(?m)^TIME `, ""},
		{`(digits/digits|deployment/digits) .*`, "$1 DECISION"}, // as the load was
	} {
		out = regexp.MustCompile(`(?i)`+rule[0]).ReplaceAllString(out, rule[1])
	}
	return strings.TrimSpace(out)
}

// The page's session, command for command.
func TestKubernetesPage(t *testing.T) {
	t.Parallel()
	f := newFollower(t)
	f.files()
	for _, b := range f.blocks {
		switch {
		case b.language != "":
			continue
		case strings.HasPrefix(b.text, "- {name:"):
			f.triggers(b.text)
			continue
		case !strings.HasPrefix(b.text, "$ "):
			f.logs(b.text)
			continue
		}
		for _, part := range strings.Split("\n"+b.text, "\n$ ")[1:] {
			command, shown, _ := strings.Cut(part, "\n")
			s := step{command, strings.TrimRight(shown, "\n")}
			switch word, _, _ := strings.Cut(command, " "); {
			case strings.HasPrefix(command, "make cluster"): // it is there
			case strings.HasPrefix(command, "go run ./cmd/cluster prometheus"):
				f.begin(command)
				f.logs(shown)
			case strings.HasPrefix(command, "scanflow run"):
				for other := range f.running {
					if strings.Contains(other, "--data bin/planner") {
						require.NotContains(t, f.latest(), "[WARN]", "a cluster without KEDA is nothing to warn of")
						f.end(other, syscall.SIGINT)
						f.unload()
						f.unload = func() {}
					}
				}
				f.begin(command)
				f.logs(shown)
			case strings.HasPrefix(word, "POD="):
				require.Contains(t, command, ":8080/predict")
				pod, err := f.at(`kubectl get pods -n digits -o jsonpath='{.items[0].status.podIP}'`).Output()
				require.NoError(t, err)
				f.unload = startTraffic("http://" + string(pod) + ":8080/predict")
			case word == "pkill":
				for other := range f.running {
					if strings.Contains(other, "--data one") {
						f.end(other, syscall.SIGKILL)
					}
				}
			default:
				f.does(s)
			}
		}
	}
}

// triggers has the examples checked as part of an agent.
func (f *follower) triggers(text string) {
	f.t.Helper()
	raw, err := os.ReadFile(filepath.Join(f.dir, "agents", "keeper.yaml"))
	require.NoError(f.t, err)
	agent := regexp.MustCompile(`(?s)  triggers:\n.*  strategies:`).ReplaceAllString(string(raw), "  triggers:\n    "+strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")+"\n  strategies:")
	file := filepath.Join(f.t.TempDir(), "agent.yaml")
	require.NoError(f.t, os.WriteFile(file, []byte(agent), 0o600))
	out, err := f.at("scanflow check -f " + file + " --policies policies").CombinedOutput()
	require.NoError(f.t, err, string(out))
}
