package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// session is a reader who does all of a page, from its first block to the last: writes
// the files, keeps what stays in a terminal of its own, and holds what every command
// prints against what the page shows.
type session struct {
	*reader
	// known maps the page's ids of approvals and messages to those of this run.
	known map[string]string
	ends  []func()      // of what runs, the latest last
	said  func() string // the log of the latest
	read  int           // how much of it there was before the last command
	// programs are stood in for by the test, by their name.
	programs map[string]func()
}

func newSession(t *testing.T, page, from, to string) *session {
	t.Helper()
	return &session{reader: read(t, page, from, to), known: map[string]string{}, programs: map[string]func(){}}
}

// sessionFiles are file names in the text before a block.
var sessionFiles = regexp.MustCompile("`([\\w./-]+\\.(?:rego|yaml|sh))`")

// all does the whole session.
func (s *session) all() {
	s.t.Helper()
	var named []string
	for _, b := range s.blocks {
		if strings.Contains(b.lead, "Ctrl-C") {
			s.ends[len(s.ends)-1]()
		}
		for _, m := range regexp.MustCompile("`(mkdir [^`]+)`").FindAllStringSubmatch(b.lead, -1) {
			s.once(step{command: m[1]})
		}
		for _, m := range sessionFiles.FindAllStringSubmatch(b.lead, -1) {
			named = append(named, m[1])
		}
		if b.language == "text" { // to be read
			named = nil
			continue
		}
		if b.language != "" {
			require.NotEmpty(s.t, named, "no name for %s", b.text)
			require.NoError(s.t, os.WriteFile(filepath.Join(s.dir, named[0]), []byte(s.replace.Replace(b.text)), 0o600))
			named = named[1:]
			continue
		}
		named = nil
		parts := strings.Split("\n"+b.text, "\n$ ")
		s.logs(parts[0])
		for _, part := range parts[1:] {
			command, shown, _ := strings.Cut(part, "\n")
			s.does(step{command, shown})
		}
	}
}

// does one command of the page. What only looks is done again until it shows what the
// page shows: things happen meanwhile.
func (s *session) does(it step) {
	s.t.Helper()
	for was, is := range s.known {
		it.command = strings.ReplaceAll(it.command, was, is)
	}
	it.command = s.atPort(it.command)
	program, _, _ := strings.Cut(it.command, " ")
	stays := strings.HasPrefix(it.command, "scanflow run") || strings.HasPrefix(it.command, "scanflow tracker")
	changes := regexp.MustCompile(`^scanflow (approve|deny|events resend|workflows cancel)|/approve `).MatchString(it.command)
	looks := program == "curl" || regexp.MustCompile(`^scanflow (decisions|events|approvals|claims|workflows)`).MatchString(it.command)
	switch {
	case s.programs[program] != nil:
		s.programs[program]()
	case program == "export":
		s.env = append(s.env, s.replace.Replace(strings.TrimPrefix(it.command, "export ")))
	case stays:
		said, end := s.begins(it.command)
		s.ends, s.said, s.read = append(s.ends, end), said, 0
		s.logs(it.shown)
	case looks && !changes:
		var got string
		s.until(it.command, alike(s.replace.Replace(it.shown)), func(want string) (string, bool) {
			got = s.output(it)
			return alike(got), alike(got) == want
		})
		s.learn(it.shown, got)
	default:
		s.once(it)
	}
}

// The commands that go to port 8282, or 5000, where nothing else is said.
var (
	listens = regexp.MustCompile(`^scanflow run( |$)`)
	tracks  = regexp.MustCompile(`^scanflow tracker( |$)`)
	// forPerson are those that find a token in --data.
	forPerson = regexp.MustCompile(`^scanflow (events resend|approve|deny|workflows cancel) `)
	asks      = regexp.MustCompile(`^scanflow (events resend|events|approvals|approve|deny|claims|workflows(?: show| logs| cancel)?)( |$)`)
)

// atPort has a command that leaves the address to the default say this run's.
func (s *session) atPort(command string) string {
	said := func(flag, address string) string { return " " + flag + " " + s.replace.Replace(address) + " " }
	switch {
	case strings.Contains(command, "--listen") || strings.Contains(command, "--server"):
		return command
	case listens.MatchString(command):
		return listens.ReplaceAllString(command, "scanflow run"+said("--listen", "127.0.0.1:8282"))
	case tracks.MatchString(command):
		return tracks.ReplaceAllString(command, "scanflow tracker"+said("--listen", "127.0.0.1:5000"))
	case strings.Contains(command, "--data") && !forPerson.MatchString(command): // it reads a folder, and no server
		return command
	}
	return asks.ReplaceAllString(command, "scanflow $1"+said("--server", "http://127.0.0.1:8282"))
}

// addresses puts the ports that the page uses onto free ones.
func (s *session) addresses(used ...string) {
	s.t.Helper()
	var pairs []string
	for _, port := range used {
		pairs = append(pairs, port, fmt.Sprint(freePort(s.t)))
	}
	s.replace = strings.NewReplacer(pairs...)
}

// logs waits until what runs has said these lines since the last command.
func (s *session) logs(lines string) {
	s.t.Helper()
	for line := range strings.Lines(strings.TrimSpace(lines)) {
		s.until("the log", alike(s.replace.Replace(line)), func(want string) (string, bool) {
			got := alike(s.said()[s.read:])
			return got, strings.Contains(got, want)
		})
	}
}

// once does a command that changes something.
func (s *session) once(it step) {
	s.t.Helper()
	if s.said != nil {
		s.read = len(s.said())
	}
	got := s.output(it)
	require.Equal(s.t, alike(s.replace.Replace(it.shown)), alike(got), it.command)
	s.learn(it.shown, got)
}

func (s *session) output(it step) string {
	s.t.Helper()
	out, err := s.shell(it.command).CombinedOutput()
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(s.t, err, &exit, it.command)
	}
	return string(out)
}

// until looks again and again until it is so, for three minutes.
func (s *session) until(what, want string, look func(want string) (got string, so bool)) {
	s.t.Helper()
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	got, so := look(want)
	for end := time.Now().Add(3 * time.Minute); !so && time.Now().Before(end); <-pause.C {
		got, so = look(want)
	}
	if !so {
		require.Equal(s.t, want, got, what)
	}
}

// ids are those that a later command of a page takes.
var ids = regexp.MustCompile(`\b(?:in|out)-\d+\b|\b[0-9a-f]{10}\b`)

func (s *session) learn(shown, got string) {
	here := ids.FindAllString(got, -1)
	for i, id := range ids.FindAllString(shown, -1) {
		if i < len(here) {
			s.known[id] = here[i]
		}
	}
}

// alike takes out of an output what differs from run to run.
func alike(out string) string {
	out = normal(out)
	for _, rule := range [][2]string{
		{`[ \t]+`, " "},
		{`─+`, "─"},
		{`\b[0-9a-f]{32}\b`, "IDENTITY"},
		{ids.String(), "ID"},
		{`\S+ \(OS user, claimed\)`, "USER (OS user, claimed)"},
		{`"firings":\d+`, `"firings":N`},
		{`\b\d{13}\b`, "MS"},
		{`\bpolicies=[0-9a-f]{12}\b`, "policies=R"},
		{`\b[01]\.\d{3,4}\b`, "ACCURACY"},
	} {
		out = regexp.MustCompile(rule[0]).ReplaceAllString(out, rule[1])
	}
	return strings.TrimSpace(regexp.MustCompile(`(?m)^ | $`).ReplaceAllString(out, ""))
}
