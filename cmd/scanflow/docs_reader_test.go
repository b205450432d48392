package main

import (
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

// pageFile are the headings that name a file.
var pageFile = regexp.MustCompile(`(?m)^### ([\w./-]+\.(?:rego|yaml|sh))$`)
