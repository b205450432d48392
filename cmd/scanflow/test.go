package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

func newTest() *cobra.Command {
	var asJSON, verbose bool
	var from policyFlags
	c := &cobra.Command{
		Use:   "test [DIR|BUNDLE|URL...]",
		Short: "Run the tests of policies, with coverage",
		Long: `Runs the _test.rego suites of policy folders, bundles and http(s) URLs of bundles,
or of the policies that ship. The result is that of "opa test": the same tests pass and fail.
What is named is added to --policies. The guards that ship are there, as in "scanflow run",
and are not counted in the coverage.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			from.paths = append(from.paths, args...)
			source, err := from.source()
			if err != nil {
				return err
			}
			src, err := source.Read(cmd.Context())
			if err != nil {
				return err
			}
			report, err := policy.RunTests(cmd.Context(), src, policy.Options{})
			if err != nil {
				return err
			}
			if asJSON {
				if err := writeLine(cmd.OutOrStdout(), report); err != nil {
					return err
				}
			} else {
				printTests(cmd.OutOrStdout(), report, verbose)
			}
			if report.Count(policy.Fail)+report.Count(policy.Errored) > 0 {
				return exitCode(2) // as opa test does
			}
			if len(report.Results) == 0 {
				return fmt.Errorf("no tests found; a test is a rule whose name begins with test_")
			}
			return nil
		},
	}
	from.add(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "print every test, and the lines that no test reached")
	return confined(tracedMemory, c)
}

func printTests(w io.Writer, r policy.TestReport, verbose bool) {
	line := func(format string, args ...any) { _, _ = fmt.Fprintln(w, plot.Line(fmt.Sprintf(format, args...))) }
	for _, t := range r.Results {
		if t.Outcome == policy.Pass && !verbose {
			continue
		}
		line("%s:%d: %s.%s: %s (%s)", t.File, t.Line, t.Package, t.Name, t.Outcome, t.Duration.Round(time.Microsecond))
		for _, c := range t.Cases {
			if c.Outcome != policy.Pass || verbose {
				line("  %s: %s", c.Name, c.Outcome)
			}
		}
		for _, extra := range []string{t.FailedAt, t.Error, t.Output} {
			if extra != "" { // prefixed, so that a test's output can't look like a result
				for _, part := range strings.Split(strings.TrimSuffix(extra, "\n"), "\n") {
					line("  | %s", part)
				}
			}
		}
	}
	if verbose {
		for _, f := range r.Coverage {
			line("%s", strings.TrimRight(fmt.Sprintf("%6.1f%%  %s  %s", f.Percent, f.File, uncovered(f.Uncovered)), " "))
		}
	}
	counts, all := tally(r)
	for _, o := range []policy.TestOutcome{policy.Pass, policy.Fail, policy.Errored, policy.Skipped} {
		if n := counts[o]; n > 0 {
			line("%s: %d/%d", o, n, all)
		}
	}
	line("coverage: %.1f%%", r.Percent)
}

// tally counts results as `opa test` does: each case of a table test is one test.
func tally(r policy.TestReport) (counts map[policy.TestOutcome]int, all int) {
	counts = map[policy.TestOutcome]int{}
	for _, t := range r.Results {
		if len(t.Cases) == 0 {
			counts[t.Outcome]++
			all++
		}
		for _, c := range t.Cases {
			counts[c.Outcome]++
			all++
		}
	}
	return counts, all
}

func uncovered(lines []int) string {
	if len(lines) == 0 {
		return ""
	}
	return fmt.Sprint("not reached: lines ", lines)
}
