package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// measured takes out of a load test's output what differs from run to run: figures, and
// what a busy machine does to a run.
func measured(out string) string {
	out = normal(out)
	for _, rule := range [][2]string{
		{`(?m)^late .*\n`, ""},
		{`,?"fell_behind_ms":[\d.]+`, ""},
		{`(; |,?")?the generator fell behind by \d+ ms"?`, ""},
		{`(; |,?")?early stopping: [^;"\n]*"?`, ""},
		{`(; |,?")?the bound was not met"?`, ""},
		{`(?m)^(bound .*): (met|missed)$`, "$1: so or so"},
		{`"bound_met":(true|false)`, `"bound_met":so`},
		{`\b\d+(\.\d+)?\b|\bunknown\b`, "N"},
		{`Ns\b|\b\d+(\.\d+)?m?s\b`, "T"},
		{`[ \t]+`, " "},
	} {
		out = regexp.MustCompile(rule[0]).ReplaceAllString(out, rule[1])
	}
	return strings.TrimSpace(out)
}

// TestLoadPage does what docs/load.md shows, against the classifier that it has served.
func TestLoadPage(t *testing.T) {
	s := newSession(t, "docs/load.md", "", "")
	s.addresses("8080")
	csv := regexp.MustCompile("`([a-z]+\\.csv)`")
	for _, b := range s.blocks {
		switch b.language {
		case "text": // to be read
			continue
		case "csv":
			named := csv.FindAllStringSubmatch(b.lead, -1)
			require.NotEmpty(t, named)
			require.NoError(t, os.WriteFile(filepath.Join(s.dir, named[len(named)-1][1]), []byte(b.text), 0o600))
			continue
		}
		if m := regexp.MustCompile("`(scanflow digits serve [^`]+)`").FindStringSubmatch(b.lead); m != nil {
			said := s.starts(m[1])
			s.until("the server", "serving", func(want string) (string, bool) { return said(), strings.Contains(said(), want) })
		}
		for _, part := range strings.Split("\n"+b.text, "\n$ ")[1:] {
			command, shown, _ := strings.Cut(part, "\n")
			require.Equal(t, measured(s.replace.Replace(shown)), measured(s.output(step{command: command})), command)
		}
	}
	svg, err := os.ReadFile(filepath.Join(s.dir, "run.svg"))
	require.NoError(t, err)
	require.Contains(t, string(svg), ">rise<")
}
