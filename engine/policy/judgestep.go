package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/confine"
)

// reportStep tells the parent which member is evaluated on which document.
func (r *Revision) reportStep(m Member, i int, raw json.RawMessage) {
	confine.Doing(stepName(m, i, raw), r.opts.Deadline+overrunAfter)
}

// stepName names the step in which a member is evaluated on a document.
func stepName(m Member, i int, raw json.RawMessage) string {
	of := namesOf(raw)
	text := fmt.Sprintf("asking %s on document %d, of target %s of agent %s", m, i+1, of.Target.String(), of.Agent.String())
	return strings.Join(strings.Fields(text), " ")
}

// evaluateMember evaluates one member alone: the `propose` of a strategy, or the rules of
// a guard one after another.
func (r *Revision) evaluateMember(ctx context.Context, m Member, input ast.Value, more []rego.EvalOption) (map[string]ast.Value, error) {
	rules := []string{proposeRule}
	if m.Kind == KindGuard {
		rules = r.guardNamed(m.Name).rules
	}
	out := map[string]ast.Value{}
	for _, rule := range rules {
		v, err := r.evaluateRule(ctx, m, rule, input, more)
		if err != nil {
			return nil, err
		}
		out[rule] = v
	}
	return out, nil
}

// evaluateGuard evaluates a guard alone on a proposal, as Review does, and reads its answers.
func (r *Revision) evaluateGuard(ctx context.Context, m Member, doc *engine.Document, p engine.Proposal, more []rego.EvalOption) error {
	rules := r.guardNamed(m.Name).rules
	b := r.binding(p)
	input, err := r.inputs.withProposal(doc, p, b.unbound...)
	if err != nil {
		return err
	}
	answers, err := r.evaluateMember(ctx, m, input, more)
	if err != nil {
		return err
	}
	if slices.Contains(rules, denyRule) {
		readDenials(answers[denyRule], m.Name)
	}
	if !slices.Contains(rules, clampRule) {
		return nil
	}
	clamps, _ := readClamps(answers[clampRule], m.Name)
	changed, with, _ := applyClamps(p, clamps)
	if len(changed) == 0 || !slices.Contains(rules, denyRule) {
		return nil
	}
	p.With = with
	if input, err = r.inputs.withProposal(doc, p, b.unbound...); err != nil {
		return err
	}
	_, err = r.evaluateRule(ctx, m, denyRule, input, more)
	return err
}

// evaluateRule evaluates a rule of a member; with `propose`, `remember` too.
func (r *Revision) evaluateRule(ctx context.Context, m Member, rule string, input ast.Value, more []rego.EvalOption) (ast.Value, error) {
	pkg := r.packageOf(m)
	if pkg == nil {
		return nil, fmt.Errorf("there is no %s", m)
	}
	is := r.queries.member(m, pkg, rule)
	query, err := is.prepare(ctx, r, is.body)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", is.path, err)
	}
	v, err := run(ctx, query, r.opts.Deadline, input, nil, watchdog{}, more...)
	if err != nil {
		return nil, err
	}
	answer, remembered := is.split(v)
	if remembered != nil {
		_, _ = readRemembered(remembered) // it returned, which is all that is checked
	}
	return answer, nil
}

// documentNames are the names of a document's agent and target.
type documentNames struct {
	Agent  objectName `json:"agent"`
	Target objectName `json:"target"`
}

type objectName struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// String returns "namespace/name".
func (n objectName) String() string { return n.Namespace + "/" + n.Name }

func namesOf(raw json.RawMessage) documentNames {
	var h documentNames
	_ = json.Unmarshal(raw, &h) // the names stay empty if it is not a document
	return h
}

// locationTracer reports the line that is evaluated to the parent.
type locationTracer struct{}

// Enabled implements topdown.QueryTracer.
func (locationTracer) Enabled() bool { return true }

// Config implements topdown.QueryTracer.
func (locationTracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent implements topdown.QueryTracer.
func (locationTracer) TraceEvent(e topdown.Event) {
	if loc := e.Location; loc != nil && loc.File != "" && e.Op == topdown.EvalOp {
		line, _, _ := strings.Cut(string(loc.Text), "\n")
		confine.At(fmt.Sprintf("%s:%d: %s", loc.File, loc.Row, clip(line)))
	}
}
