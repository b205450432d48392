package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// checkFormat is the format in which check prints what it finds.
type checkFormat struct{ json, sarif bool }

func (f *checkFormat) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.json, "json", false, "print every mistake and warning as JSON")
	c.Flags().BoolVar(&f.sarif, "sarif", false, "print every mistake and warning as SARIF 2.1.0, which code hosts show beside the lines")
	c.MarkFlagsMutuallyExclusive("json", "sarif")
}

// The severities of findings, as SARIF names its levels.
const (
	severityError   = "error"
	severityWarning = "warning"
	severityNote    = "note"
)

// checkFinding is a mistake, a warning or a note, as check --json prints it.
type checkFinding struct {
	Severity string `json:"severity"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Object   string `json:"object,omitempty"`
	Path     string `json:"path,omitempty"`
	Text     string `json:"text"`
	Fix      string `json:"fix,omitempty"`
	Context  string `json:"context,omitempty"`
}

// checkReport collects what check finds. As text, warnings are printed as they come, and
// mistakes are the error of the command.
type checkReport struct {
	format   checkFormat
	errOut   io.Writer
	errs     []error
	findings []checkFinding

	// agents and revision were checked. The revision is nil if it is refused.
	agents   int
	revision *policy.Revision
	// policies has the files of the policies.
	policies source.Source
}

func newCheckReport(format checkFormat, errOut io.Writer) *checkReport {
	return &checkReport{format: format, errOut: errOut, findings: []checkFinding{}}
}

// refuse adds the mistakes that an error stands for; nil adds none.
func (r *checkReport) refuse(err error) {
	if err == nil {
		return
	}
	r.errs = append(r.errs, err)
	for _, m := range mistakesOf(err) {
		r.findings = append(r.findings, findingOf(severityError, m))
	}
}

func (r *checkReport) add(severity string, found ...mistake.Mistake) {
	if len(found) == 0 {
		return
	}
	if severity == severityError {
		r.refuse(mistake.Mistakes(found))
		return
	}
	for _, m := range found {
		r.findings = append(r.findings, findingOf(severity, m))
		if !r.format.json && !r.format.sarif {
			_, _ = fmt.Fprintln(r.errOut, plot.Line(severity+": "+m.Error()))
		}
	}
}

func findingOf(severity string, m mistake.Mistake) checkFinding {
	return checkFinding{severity, m.File, m.Line, m.Column, m.Object, m.Path, m.Message, m.Fix, m.Context}
}

// mistakesOf returns the mistakes in an error, which may join several. An error of another
// type is one.
func mistakesOf(err error) mistake.Mistakes {
	var all mistake.Mistakes
	if joined, is := err.(interface{ Unwrap() []error }); is { //nolint:errorlint // each part is looked at
		for _, e := range joined.Unwrap() {
			all = append(all, mistakesOf(e)...)
		}
		return all
	}
	var one mistake.Mistake
	switch {
	case errors.As(err, &all):
		return all
	case errors.As(err, &one):
		return mistake.Mistakes{one}
	}
	return mistake.Mistakes{{Message: err.Error()}}
}

// print ends the command: it writes the report, and returns an error if there is a mistake.
func (r *checkReport) print(out io.Writer) error {
	err := errors.Join(r.errs...)
	switch {
	case r.format.json, r.format.sarif:
		if printErr := r.printFor(out); printErr != nil {
			return printErr
		}
		if err != nil {
			return errSilent
		}
		return nil
	case err != nil:
		return fmt.Errorf("not fit to run:\n%w", err)
	}
	rev := r.revision
	_, err = fmt.Fprintf(out, "ok: %d agents, policies %s with %d strategies and %d guards\n%s\n", r.agents, rev.ID(), len(rev.Strategies()), len(rev.Guards()),
		plot.Line("guards that bind: "+policy.FormatGuards(rev.GuardInfos())))
	return err
}

// locate replaces the names of policy files, which are relative to their folder, by their
// paths.
func (r *checkReport) locate() {
	paths := map[string]string{}
	for _, part := range r.policies.All() {
		if info, err := os.Stat(part.Origin); err != nil || !info.IsDir() {
			continue // shipped, or a bundle
		}
		for _, f := range part.Files {
			paths[part.Name(f.Path)] = filepath.Join(part.Origin, filepath.FromSlash(f.Path))
		}
	}
	for i, f := range r.findings {
		if path := paths[f.File]; path != "" {
			r.findings[i].File = path
		}
	}
}

// checkOutput is the output of check --json.
type checkOutput struct {
	OK       bool           `json:"ok"`
	Agents   int            `json:"agents"`
	Policies string         `json:"policies,omitempty"`
	Findings []checkFinding `json:"findings"`
}

func (r *checkReport) printFor(out io.Writer) error {
	r.locate()
	if r.format.sarif {
		return writeJSON(out, newSARIF(r.findings))
	}
	o := checkOutput{OK: len(r.errs) == 0, Agents: r.agents, Findings: r.findings}
	if r.revision != nil {
		o.Policies = r.revision.ID()
	}
	return writeJSON(out, o)
}
