package policy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// TestOutcome is the outcome of a test, in the words of `opa test`.
type TestOutcome string

const (
	Pass    TestOutcome = "PASS"
	Fail    TestOutcome = "FAIL"
	Errored TestOutcome = "ERROR"
	Skipped TestOutcome = "SKIPPED"
)

// TestResult is the result of one test rule.
type TestResult struct {
	Package  string        `json:"package"`
	Name     string        `json:"name"`
	Outcome  TestOutcome   `json:"outcome"`
	Duration time.Duration `json:"duration_ns"`
	File     string        `json:"file"`
	Line     int           `json:"line"`
	// Cases are the rows of a table test, by name; the names of nested rows are joined by "/".
	Cases []TestCase `json:"cases,omitempty"`
	// FailedAt is the last expression that was false, as "file:line: text".
	FailedAt string `json:"failed_at,omitempty"`
	Error    string `json:"error,omitempty"`
	Output   string `json:"output,omitempty"` // of print
}

// TestCase is one row of a table test.
type TestCase struct {
	Name    string      `json:"name"`
	Outcome TestOutcome `json:"outcome"`
}

// FileCoverage is the test coverage of one file.
type FileCoverage struct {
	File    string  `json:"file"`
	Percent float64 `json:"percent"`
	// Uncovered are the lines that no test covers.
	Uncovered []int `json:"uncovered,omitempty"`
}

// TestReport is the result of all tests.
type TestReport struct {
	Results  []TestResult   `json:"results"` // sorted by package and name
	Percent  float64        `json:"percent"`
	Coverage []FileCoverage `json:"coverage,omitempty"` // without test files
}

// Count returns the number of tests with an outcome.
func (r TestReport) Count(o TestOutcome) int {
	n := 0
	for _, t := range r.Results {
		if t.Outcome == o {
			n++
		}
	}
	return n
}

// RunTests runs the tests with coverage, for `scanflow test`. A compile error is
// returned as Mistakes; a failed test is not an error.
func RunTests(ctx context.Context, src source.Source, opts Options) (TestReport, error) {
	b, err := newBuild(ctx, src, opts)
	if err != nil {
		return TestReport{}, err
	}
	b.compiler.WithEnablePrintStatements(true)
	tracer := cover.New()
	results, err := b.runTests(ctx, func(r *tester.Runner) {
		// The order matters: EnableTracing drops the coverage tracer.
		r.EnableTracing(true).SetCoverageQueryTracer(tracer).SetCoverageRuns(nil).CapturePrintOutput(true)
	})
	if err != nil {
		return TestReport{}, err
	}
	out := TestReport{}
	for _, r := range results {
		out.Results = append(out.Results, newTestResult(r))
	}
	policies := map[string]*ast.Module{}
	for file, m := range b.modules {
		if !isTest(m) && !src.PartOf(file).Shipped {
			policies[file] = m
		}
	}
	out.cover(tracer, policies)
	return out, nil
}

// runTests compiles the modules with their tests and runs the tests. OPA's runner
// compiles them itself, with extra stages that separate the rows of a table test.
func (b *build) runTests(ctx context.Context, set func(*tester.Runner)) ([]*tester.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, b.opts.TestTimeout)
	defer cancel()
	txn, err := b.store.NewTransaction(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the policies' data: %w", err)
	}
	defer b.store.Abort(ctx, txn)
	progress := newTestProgress(b.modules)
	b.compiler.WithStageAfterID(ast.StageBuildRequiredCapabilities, ast.CompilerStageDefinition{
		Name: "TestsBegin", MetricName: "tests_begin", Stage: func(*ast.Compiler) *ast.Error { progress.begin(); return nil },
	})
	// With several tests at a time, those that never end remain last and can be named.
	runner := tester.NewRunner().SetCompiler(b.compiler).SetModules(b.modules).SetStore(b.store).SetParallel(testParallelism).SetTimeout(testTimeout)
	set(runner)
	channel, err := runner.RunTests(ctx, txn)
	if err != nil {
		return nil, sorted(fromOPA(err)).Err()
	}
	var results []*tester.Result
	for r := range channel {
		results = append(results, r)
		progress.ended(r)
	}
	if ctx.Err() != nil {
		return nil, mistake.Mistakes{{Message: fmt.Sprintf("the tests did not end within %s", b.opts.TestTimeout), Fix: "look for a test that iterates without bound"}}
	}
	slices.SortFunc(results, func(a, b *tester.Result) int {
		return cmp.Or(strings.Compare(a.Package, b.Package), strings.Compare(a.Name, b.Name))
	})
	return results, nil
}

func newTestResult(r *tester.Result) TestResult {
	out := TestResult{Package: r.Package, Name: r.Name, Outcome: Pass, Duration: r.Duration, Output: string(r.Output)}
	if r.Location != nil {
		out.File, out.Line = r.Location.File, r.Location.Row
	}
	switch {
	case r.Fail:
		out.Outcome = Fail
		out.FailedAt = failedAt(r)
	case r.Skip:
		out.Outcome = Skipped
	case r.Error != nil:
		out.Outcome = Errored
		out.Error = r.Error.Error()
	}
	for name, sub := range r.SubResults.Iter {
		if len(sub.SubResults) > 0 {
			continue
		}
		c := TestCase{Name: strings.Join(name, "/"), Outcome: Pass}
		if sub.Fail {
			c.Outcome = Fail
		}
		out.Cases = append(out.Cases, c)
	}
	return out
}

// failedAt returns the last expression in the test's own file that was false.
func failedAt(r *tester.Result) string {
	trace := r.Trace
	for _, sub := range r.SubResults.Iter {
		if sub.Fail && len(sub.Trace) > 0 {
			trace = sub.Trace
		}
	}
	for _, e := range slices.Backward(trace) {
		if e.Op == topdown.FailOp && e.Location != nil && r.Location != nil && e.Location.File == r.Location.File {
			return fmt.Sprintf("%s:%d: %s", e.Location.File, e.Location.Row, strings.TrimSpace(string(e.Location.Text)))
		}
	}
	return ""
}

func (r *TestReport) cover(tracer *cover.Cover, policies map[string]*ast.Module) {
	report := tracer.Report(policies)
	covered, all := 0, 0
	for file := range policies {
		f := report.Files[file]
		if f == nil {
			continue
		}
		covered, all = covered+f.CoveredLines, all+f.CoveredLines+f.NotCoveredLines
		c := FileCoverage{File: file, Percent: f.Coverage}
		for _, span := range f.NotCovered {
			for line := span.Start.Row; line <= span.End.Row; line++ {
				c.Uncovered = append(c.Uncovered, line)
			}
		}
		slices.Sort(c.Uncovered)
		c.Uncovered = slices.Compact(c.Uncovered)
		r.Coverage = append(r.Coverage, c)
	}
	slices.SortFunc(r.Coverage, func(a, b FileCoverage) int { return strings.Compare(a.File, b.File) })
	if all > 0 {
		r.Percent = 100 * float64(covered) / float64(all)
	}
}
