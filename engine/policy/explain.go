package policy

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/lineage"

	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

// explainDeadline is longer than the deadline of a decision, because a full
// trace costs about eleven times as much.
const explainDeadline = 10 * time.Second

// maxEvents bounds a trace; a longer one is not readable.
const maxEvents = 20_000

// Explain evaluates one strategy on a stored document (see
// engine.Document.Input) and returns the trace as text, with the answer.
func (r *Revision) Explain(ctx context.Context, strategy string, input map[string]any) (string, error) {
	s := r.strategies[strategy]
	if s == nil {
		return "", fmt.Errorf("explain: there is no strategy %q; the strategies are %s", strategy, quotedList(r.Strategies()))
	}
	value, err := ast.InterfaceToValue(input)
	if err != nil {
		return "", fmt.Errorf("explain %s: the document: %w", strategy, err)
	}
	m := r.queries.member(Member{KindStrategy, strategy}, s.pkg, "propose")
	query, err := m.prepare(ctx, r, m.body)
	if err != nil {
		return "", fmt.Errorf("explain %s: %w", strategy, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := recorder{full: cancel}
	answer, evalErr := run(ctx, query, explainDeadline, value, nil, watchdog{}, rego.EvalQueryTracer(&t))
	var out bytes.Buffer
	topdown.PrettyTraceWithLocation(&out, lineage.Full(slices.Clip(t.events)))
	switch {
	case t.dropped:
		fmt.Fprintf(&out, "... the trace is cut after %d steps\n", len(t.events))
	case evalErr != nil:
		fmt.Fprintf(&out, "error: %s\n", evalErr)
	default:
		answer, remembered := m.split(answer)
		fmt.Fprintf(&out, "propose = %s\n", bounded.Show(answer, MaxProposal))
		if remembered != nil {
			fmt.Fprintf(&out, "remember = %s\n", bounded.Show(remembered, MaxProposal))
		}
	}
	return out.String(), nil
}

// recorder is a topdown.BufferTracer with a limit.
type recorder struct {
	events  topdown.BufferTracer
	size    int64 // in bytes, as text
	dropped bool
	full    func() // cancels the evaluation
}

// Enabled implements topdown.QueryTracer.
func (*recorder) Enabled() bool { return true }

// TraceEvent implements topdown.QueryTracer.
func (r *recorder) TraceEvent(e topdown.Event) {
	e, size := clipEvent(e)
	if r.size += size; len(r.events) >= maxEvents || r.size > maxTraceBytes {
		r.dropped = true
		r.full()
		return
	}
	r.events.TraceEvent(e)
}

// Config implements topdown.QueryTracer.
func (r *recorder) Config() topdown.TraceConfig { return r.events.Config() }
