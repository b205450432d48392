package policy

import (
	"context"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// Candidate compiles, checks and tests a source and returns a revision that is
// ready to become live. The error is of type Mistakes and holds every mistake
// and every failed test.
func Candidate(ctx context.Context, src source.Source, opts Options) (*Revision, error) {
	b, err := newBuild(ctx, src, opts)
	if err != nil {
		return nil, err
	}
	results, err := b.runTests(ctx, func(r *tester.Runner) { r.CapturePrintOutput(false) })
	if err != nil {
		return nil, err
	}
	rev := newRevision(b)
	mistakes := rev.inspect(b.data)
	for _, r := range results {
		if m, ok := testFailure(r); ok {
			mistakes = append(mistakes, m)
		}
	}
	if len(mistakes) > 0 {
		return nil, sorted(mistakes).Err()
	}
	if err := rev.prepare(ctx); err != nil {
		return nil, err
	}
	return rev, nil
}

// CompilePrepared returns a revision that is ready to become live, from a source
// that Judge.Try has accepted. It does not run the tests again.
func CompilePrepared(ctx context.Context, src source.Source, opts Options) (*Revision, error) {
	rev, err := Compile(ctx, src, opts)
	if err != nil {
		return nil, err
	}
	if err := rev.prepare(ctx); err != nil {
		return nil, err
	}
	return rev, nil
}

// testFailure returns the mistake that a failed test stands for.
func testFailure(r *tester.Result) (mistake.Mistake, bool) {
	t := newTestResult(r)
	var problem string
	switch t.Outcome {
	case Pass, Skipped:
		return mistake.Mistake{}, false
	case Errored:
		problem = "ended in an error: " + t.Error
	case Fail:
		problem = "fails"
		var rows []string
		for _, c := range t.Cases {
			if c.Outcome == Fail {
				rows = append(rows, c.Name)
			}
		}
		if len(rows) > 0 {
			problem += " for " + quotedList(rows)
		}
	}
	return at(r.Location, fmt.Sprintf("test %s.%s %s", strings.TrimPrefix(t.Package, "data."), t.Name, problem),
		"mend the policy or the test; `scanflow test` shows where it fails"), true
}

// prepare prepares the query of all strategies and that of the guards, so that
// the first decision after a swap is as fast as the next.
func (r *Revision) prepare(ctx context.Context) error {
	groups := []*group{first(r.queries.group(r.Strategies()))}
	for _, b := range r.bindings() {
		groups = append(groups, r.queries.guardsOf(b).all)
	}
	for _, g := range groups {
		if g == nil || len(g.members) == 0 {
			continue
		}
		if _, err := g.prepare(ctx, r, g.body); err != nil {
			return mistake.Mistakes{{Message: "can't be prepared: " + err.Error()}}
		}
	}
	return nil
}

func first[A, B any](a A, _ B) A { return a }
