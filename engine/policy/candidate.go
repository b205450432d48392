package policy

import (
	"context"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Candidate makes a revision that is fit to become live: compiled, judged, and
// passed by its own tests, beside whatever is live now. The error is of type
// Mistakes and names all of them, failed tests included.
func Candidate(ctx context.Context, src Source, opts Options) (*Revision, error) {
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
		if m, ok := failure(r); ok {
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

// Ready makes a revision of policies that a judge has found fit, without running their
// tests again.
func Ready(ctx context.Context, src Source, opts Options) (*Revision, error) {
	rev, err := Compile(ctx, src, opts)
	if err != nil {
		return nil, err
	}
	if err := rev.prepare(ctx); err != nil {
		return nil, err
	}
	return rev, nil
}

// failure is what a test has to say against the revision.
func failure(r *tester.Result) (mistake.Mistake, bool) {
	t := newTestResult(r)
	var what string
	switch t.Outcome {
	case Pass, Skipped:
		return mistake.Mistake{}, false
	case Errored:
		what = "ended in an error: " + t.Error
	case Fail:
		what = "fails"
		var rows []string
		for _, c := range t.Cases {
			if c.Outcome == Fail {
				rows = append(rows, c.Name)
			}
		}
		if len(rows) > 0 {
			what += " for " + signalNames(rows)
		}
	}
	return at(r.Location, fmt.Sprintf("test %s.%s %s", strings.TrimPrefix(t.Package, "data."), t.Name, what),
		"mend the policy or the test; `scanflow test` shows where it fails"), true
}

// prepare makes the query of all strategies, and that of the guards, ready: the
// first decision after a swap is not slower than the next.
func (r *Revision) prepare(ctx context.Context) error {
	for _, g := range []*group{first(r.queries.group(r.Strategies())), r.queries.guards()} {
		if g == nil || len(g.members) == 0 {
			continue
		}
		if _, err := g.ready(ctx, r, g.body); err != nil {
			return mistake.Mistakes{{Message: "can't be prepared: " + err.Error()}}
		}
	}
	return nil
}

func first[A, B any](a A, _ B) A { return a }
