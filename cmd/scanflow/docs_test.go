package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// initRepository does the page's scanflow init, holds the files that it shows against those
// written, and goes to the new folder.
func (r *reader) initRepository() {
	r.t.Helper()
	r.runs(r.step("scanflow init first"))
	r.dir = filepath.Join(r.dir, "first")
	shown := 0
	for _, b := range r.blocks {
		m := pageFile.FindStringSubmatch(b.lead)
		if m == nil {
			continue
		}
		written, err := os.ReadFile(filepath.Join(r.dir, m[1]))
		require.NoError(r.t, err)
		require.Equal(r.t, string(written), b.text, m[1])
		shown++
	}
	require.NotZero(r.t, shown)
}

// at puts the page's daemon onto another address, in the files and in the commands.
func (r *reader) at(address string) (run string) {
	r.t.Helper()
	r.address("127.0.0.1:8282", address, "--server ", "--server http://"+address+" ")
	return r.step("scanflow run").command + " --listen " + address
}

const (
	heavyRego  = "policies/scanflow/strategies/first/heavy/heavy.rego"
	heavy      = `"reason": "heavy"`
	tooHeavy   = `"reason": "too_heavy"`
	nonsense   = "\na line of nonsense"
	firstAgent = "agents/first.yaml"
)

func TestFirstStrategyPage(t *testing.T) {
	r := read(t, "docs/first-strategy.md", "", "")
	r.initRepository()
	r.runs(r.step("./ci.sh"))
	r.runs(r.step("scanflow opa test policies"))
	check := r.step("scanflow check")
	r.edit(heavyRego, "signals.memory", "signals.memroy")
	r.edit(heavyRego, `["memory"]`, `["memroy"]`)
	r.runs(check)
	r.edit(heavyRego, "memroy", "memory")
	r.edit(heavyRego, heavy, tooHeavy)
	out, err := r.shell(check.command).CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "policies "+r.live(), "the revision shown is that of the edit")
	r.edit(heavyRego, tooHeavy, heavy)

	daemon, help := fmt.Sprintf("127.0.0.1:%d", freePort(t)), fmt.Sprintf("127.0.0.1:%d", freePort(t))
	for _, b := range r.blocks {
		if b.language == "go" {
			require.NoError(t, os.WriteFile(filepath.Join(r.dir, "help.go"), []byte(b.text), 0o600))
		}
	}
	r.address("127.0.0.1:9000", help)
	run := r.at(daemon)
	r.replace = strings.NewReplacer("127.0.0.1:8282", daemon, "--server ", "--server http://"+daemon+" ", "127.0.0.1:9000", help)
	log := r.starts(run)

	decisions := r.steps("scanflow decisions")
	latest := func(s step) func() string {
		return func() string {
			out, err := r.shell(s.command).CombinedOutput()
			if err != nil {
				return err.Error() // the journal is not there yet
			}
			return string(out)
		}
	}
	r.shows(decisions[0])
	id := regexp.MustCompile(`\d+/0`).FindString(latest(decisions[0])())
	again := "scanflow eval -f agents --policies policies --input doc.json --explain first.heavy"
	raw, err := os.ReadFile("../../docs/first-strategy.md")
	require.NoError(t, err)
	require.Contains(t, string(raw), "`"+again+"`")
	out, err = r.shell("scanflow decisions --document " + id + " > doc.json && " + again).CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), `"reason": "heavy"`)

	for _, prefix := range []string{"cp -r", "sed -i"} {
		out, err = r.shell(r.step(prefix).command).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	asked := r.step("scanflow eval --server")
	require.Eventually(t, func() bool { // the cooldown ends now and then
		out, err := r.shell(asked.command).CombinedOutput()
		return err == nil && normal(string(out)) == normal(asked.shown)
	}, 20*time.Second, 100*time.Millisecond)

	lives := strings.Count(log(), "policies live")
	r.edit(heavyRego, heavy, tooHeavy)
	require.Eventually(t, func() bool { return strings.Count(log(), "policies live") > lives }, 20*time.Second, 10*time.Millisecond)
	r.says(log, r.shown("policies live"))
	far := step{command: decisions[0].command}
	require.Eventually(t, func() bool { return strings.Contains(latest(far)(), "too_heavy") }, 20*time.Second, 100*time.Millisecond)

	out, err = r.shell(r.step("echo").command).CombinedOutput()
	require.NoError(t, err, string(out))
	r.says(log, r.shown("policies refused"))
	r.edit(heavyRego, nonsense, "")
	r.says(log, r.shown("again what they were"))

	require.Equal(t, "go run help.go", r.step("go").command)
	out, err = r.shell("go build -o help help.go").CombinedOutput() // what go run starts is not ended with it
	require.NoError(t, err, string(out))
	heard := r.starts("./help")
	require.NotContains(t, heard(), "/help", "dry so far")
	r.edit(firstAgent, "mode: dry-run", "")
	r.says(heard, r.shown("POST /help"))
	r.shows(decisions[len(decisions)-1])
}

// startTraffic sends digits at a rate far above the bounds of the pages, until end is called.
func startTraffic(url string) (end func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(30 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			res, err := http.Post(url, "application/octet-stream", bytes.NewReader(make([]byte, 784)))
			if err == nil { // it is still starting otherwise
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
		}
	}()
	return func() { close(stop); <-done }
}

func TestReadmeSession(t *testing.T) {
	r := read(t, "README.md", "## Your first strategy", "\n## ")
	r.initRepository()
	r.runs(r.step("./ci.sh"))
	run := r.at(fmt.Sprintf("127.0.0.1:%d", freePort(t)))
	log := r.starts(run)
	r.shows(r.step("scanflow decisions"))
	require.Contains(t, log(), "reason=heavy")
}

// The demo's lines of the README are of the output on its page.
func TestReadmeDemo(t *testing.T) {
	page, err := os.ReadFile("../../docs/demo.md")
	require.NoError(t, err)
	shown := read(t, "README.md", "## Try it", "\n## ").blocks[1].text
	require.Equal(t, 12, strings.Count(shown, "\n"), "a dozen lines")
	for line := range strings.Lines(shown) {
		require.Contains(t, string(page), line)
	}
}
