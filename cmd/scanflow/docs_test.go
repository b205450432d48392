package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// reader follows a page in one folder: it writes the files that the page shows, at the
// paths that it names, and runs its commands.
type reader struct {
	t       *testing.T
	dir     string
	blocks  []block
	replace *strings.Replacer // addresses that the page assumes to be free
	env     []string          // variables that the page has exported
}

// block is a fenced piece of a page, and the text since the one before.
type block struct{ lead, language, text string }

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// read opens a page, from a heading on ("" for all) up to another.
func read(t *testing.T, page, from, to string) *reader {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", page))
	require.NoError(t, err)
	text := string(raw)
	if from != "" {
		_, rest, found := strings.Cut(text, from)
		require.True(t, found, from)
		text, _, found = strings.Cut(rest, to)
		require.True(t, found, to)
	}
	r := &reader{t: t, dir: t.TempDir(), replace: strings.NewReplacer()}
	end := 0
	for _, at := range fence.FindAllStringSubmatchIndex(text, -1) {
		r.blocks = append(r.blocks, block{lead: text[end:at[0]], language: text[at[2]:at[3]], text: text[at[4]:at[5]]})
		end = at[1]
	}
	require.NotEmpty(t, r.blocks)
	return r
}

// paths are file names in the text before a block.
var paths = regexp.MustCompile("`([\\w./-]+\\.(?:rego|yaml|go))`")

// files writes what the page shows as files to where it names them, in order.
func (r *reader) files() {
	r.t.Helper()
	named := []string{}
	for _, b := range r.blocks {
		for _, m := range paths.FindAllStringSubmatch(b.lead, -1) {
			named = append(named, m[1])
		}
		if b.language == "" || b.language == "text" {
			named = nil // they were about something else
			continue
		}
		require.NotEmpty(r.t, named, "no name for %s", b.text)
		file := filepath.Join(r.dir, named[0])
		named = named[1:]
		require.NoError(r.t, os.WriteFile(file, []byte(b.text), 0o644), "the page must say mkdir")
	}
}

// step is a command of the page and what it shows below.
type step struct{ command, shown string }

// steps are the commands that begin so, in order.
func (r *reader) steps(prefix string) (out []step) {
	for _, b := range r.blocks {
		if b.language != "" {
			continue
		}
		for _, part := range strings.Split("\n"+b.text, "\n$ ")[1:] {
			command, shown, _ := strings.Cut(part, "\n")
			if strings.HasPrefix(command, prefix) {
				out = append(out, step{command, strings.TrimRight(shown, "\n")})
			}
		}
	}
	require.NotEmpty(r.t, out, "the page has no %q", prefix)
	return out
}

func (r *reader) step(prefix string) step { return r.steps(prefix)[0] }

// shell is a line of the page in a shell, with this scanflow on its path.
func (r *reader) shell(line string) *exec.Cmd {
	r.t.Helper()
	name, err := binary()
	require.NoError(r.t, err)
	c := exec.Command("sh", "-c", r.replace.Replace(line))
	c.Dir = r.dir
	c.Env = append(append(os.Environ(), r.env...), "PATH="+filepath.Dir(name)+":"+os.Getenv("PATH"))
	return c
}

// runs does a step and holds what it prints against what the page shows.
func (r *reader) runs(s step) {
	r.t.Helper()
	out, err := r.shell(s.command).CombinedOutput()
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(r.t, err, &exit, s.command)
	}
	require.Equal(r.t, warningsFirst(normal(s.shown)), warningsFirst(normal(string(out))), s.command)
}

// warningsFirst has the warnings, which are on standard error, before what else is printed:
// which of the two streams a terminal shows first is not settled.
func warningsFirst(text string) string {
	var warnings, rest []string
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "warning: ") {
			warnings = append(warnings, line)
		} else {
			rest = append(rest, line)
		}
	}
	return strings.Join(append(warnings, rest...), "\n")
}

// starts runs a command until the test ends, and returns its output so far.
func (r *reader) starts(command string) func() string {
	r.t.Helper()
	said, _ := r.begins(command)
	return said
}

// begins runs a command until it is ended, or the test is.
func (r *reader) begins(command string) (said func() string, end func()) {
	r.t.Helper()
	log := filepath.Join(r.t.TempDir(), "log")
	out, err := os.Create(log)
	require.NoError(r.t, err)
	c := r.shell("exec " + command)
	c.Stdout, c.Stderr = out, out
	require.NoError(r.t, c.Start())
	said = func() string {
		raw, err := os.ReadFile(log)
		require.NoError(r.t, err)
		return string(raw)
	}
	end = sync.OnceFunc(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		done := make(chan struct{})
		go func() { defer close(done); _ = c.Wait() }()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			_ = c.Process.Kill()
			<-done
		}
		_ = out.Close()
	})
	r.t.Cleanup(func() {
		end()
		if r.t.Failed() {
			r.t.Logf("%s:\n%s", command, said())
		}
	})
	return said, end
}

// edit changes a file in place, as an editor does.
func (r *reader) edit(name, old, changed string) {
	r.t.Helper()
	raw, err := os.ReadFile(filepath.Join(r.dir, name))
	require.NoError(r.t, err)
	require.Contains(r.t, string(raw), old)
	text := strings.ReplaceAll(string(raw), old, changed)
	require.NoError(r.t, os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o644))
}

// address puts the page's files and commands onto another address.
func (r *reader) address(pairs ...string) {
	r.t.Helper()
	r.replace = strings.NewReplacer(pairs...)
	require.NoError(r.t, filepath.WalkDir(r.dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || !paths.MatchString("`"+e.Name()+"`") {
			return err
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(name, []byte(r.replace.Replace(string(raw))), 0o644)
	}))
}

// shown is the line of the page that has the text, outside of commands.
func (r *reader) shown(text string) string {
	r.t.Helper()
	for _, b := range r.blocks {
		for line := range strings.Lines(b.text) {
			if b.language == "" && strings.Contains(line, text) {
				return r.replace.Replace(strings.TrimRight(line, "\n"))
			}
		}
	}
	require.Fail(r.t, "the page shows no line with "+text)
	return ""
}

// says waits until an output has a line of the page, but for what differs by run.
func (r *reader) says(out func() string, line string) {
	r.t.Helper()
	want := normal(line)
	require.Eventually(r.t, func() bool {
		for _, got := range strings.Split(normal(out()), "\n") {
			if got == want {
				return true
			}
		}
		return false
	}, 20*time.Second, 10*time.Millisecond, "it never says %s", want)
}

// shows repeats a command until it prints what the page shows.
func (r *reader) shows(s step) {
	r.t.Helper()
	want, got := normal(r.replace.Replace(s.shown)), ""
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		out, err := r.shell(s.command).CombinedOutput()
		if got = normal(string(out)); err == nil && got == want {
			return
		}
	}
	require.Equal(r.t, want, got, s.command)
}

// normal takes out of an output what differs from run to run.
func normal(out string) string {
	for _, rule := range [][2]string{
		{`\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?`, "TIME"},
		{`\(\d[\d.]*(ns|µs|ms|s)\)`, "(TIME)"},
		{`\b(\d\d-\d\d )?\d\d:\d\d:\d\d\b`, "TIME"},
		{`\b[0-9a-f]{16}-\d+/0\b`, "ID"},
		{`(?m)^TIME +\d+/\d+ +`, "TIME  ID  "}, // in a table of decisions
		{`(?m)^(time \([A-Z]+\)) +id +`, "$1  id  "},
		{`─+`, "─"},
		{`  ([^\n ](?:[^\n ]| [^\n ]){0,9})(?:[^\n ]| [^\n ])*…`, "  $1…"}, // how much fits hangs on the length of an id
		{`\brevision=[0-9a-f]{12}\b`, "revision=R"},
		{`(?m)^\d+ files written to shipped$`, "N files written to shipped"},
		{`(?m) +$`, ""},
	} {
		out = regexp.MustCompile(rule[0]).ReplaceAllString(out, rule[1])
	}
	return strings.TrimRight(out, "\n")
}

// live is the revision that the page's log shows as going live.
func (r *reader) live() string {
	r.t.Helper()
	m := regexp.MustCompile(`revision=([0-9a-f]{12})`).FindStringSubmatch(r.shown("policies live"))
	require.NotNil(r.t, m)
	return m[1]
}

// initFile are the headings that name a file of a repository.
var initFile = regexp.MustCompile("(?m)^### ([\\w./-]+\\.(?:rego|yaml|sh))$")

// initRepository does the page's scanflow init, holds the files that it shows against those
// written, and goes to the new folder.
func (r *reader) initRepository() {
	r.t.Helper()
	r.runs(r.step("scanflow init first"))
	r.dir = filepath.Join(r.dir, "first")
	shown := 0
	for _, b := range r.blocks {
		m := initFile.FindStringSubmatch(b.lead)
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
