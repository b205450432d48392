package agentcheck

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/engine/literal"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/spelling"
)

// mistakesKey is the parameter under which a strategy names the mistakes in its params. No verb has it,
// so that such a proposal is refused each time, and the decision shows them.
const mistakesKey = "mistakes"

// parameterMistakes lists what the text of proposals tells about parameters that the
// verb would refuse, by the decoder that refuses them in a turn.
func parameterMistakes(rev *policy.Revision) mistake.Mistakes {
	verbs := agentspec.Kinds().Verbs
	var out mistake.Mistakes
	for _, s := range rev.Strategies() {
		for _, p := range rev.Proposals(s) {
			verb := verbOf(p)
			if verbs[verb] == nil {
				continue
			}
			with, ok := withOf(p)
			if !ok {
				continue
			}
			for _, m := range manifest.DecodeLiteral(p.File, with, verbs[verb]) {
				m.Object = verb
				out = append(out, m)
			}
		}
	}
	return out
}

// verbOf returns the verb of a proposal, "" where the text does not tell.
func verbOf(p policy.LiteralProposal) string {
	f, _ := p.Object.Field("primitive")
	verb, _ := f.Value.Text()
	return verb
}

// withOf returns the parameters of a proposal; false where nothing can be said of them.
func withOf(p policy.LiteralProposal) (literal.Value, bool) {
	f, there := p.Object.Field("with")
	with := f.Value
	switch {
	case !there && p.Object.Open:
		return with, false
	case !there: // it has none
		return literal.Value{Kind: literal.Object, Line: p.Object.Line, Column: p.Object.Column}, true
	}
	reports := len(with.Fields) == 1 && with.Fields[0].Key == mistakesKey && !with.Open
	return with, with.Kind == literal.Object && !reports
}

// unknownVerbs lists the primitives that do not exist: as mistakes where no proposal of
// the strategy can ever act, and as warnings where others can.
func unknownVerbs(rev *policy.Revision) (mistakes, warnings mistake.Mistakes) {
	verbs := agentspec.Kinds().Verbs
	names := slices.Sorted(maps.Keys(verbs))
	for _, s := range rev.Strategies() {
		var found mistake.Mistakes
		dead := true
		for _, p := range rev.Proposals(s) {
			verb := verbOf(p)
			if verb == "" || verbs[verb] != nil {
				dead = false
				continue
			}
			place, _ := p.Object.Field("primitive")
			fix := "there are " + strings.Join(names, ", ")
			if near := spelling.Nearest(verb, names); near != "" {
				fix = fmt.Sprintf("did you mean %s? There are %s", near, strings.Join(names, ", "))
			}
			found = append(found, mistake.Mistake{File: p.File, Line: place.Value.Line, Column: place.Value.Column, Message: fmt.Sprintf("strategy %s proposes %q, and there is no such primitive", s, verb), Fix: fix})
		}
		if dead {
			mistakes = append(mistakes, found...)
		} else {
			warnings = append(warnings, found...)
		}
	}
	return mistakes, warnings
}

// unlistedVerbs lists the primitives that a strategy proposes and the manifest of its agent
// does not list: as mistakes where no proposal of the strategy can ever act.
func unlistedVerbs(a *manifest.Agent, rev *policy.Revision, strategy string) (mistakes, warnings mistake.Mistakes) {
	verbs := agentspec.Kinds().Verbs
	places := map[string]string{}
	dead := true
	for _, p := range rev.Proposals(strategy) {
		verb := verbOf(p)
		if verb == "" || slices.Contains(a.Spec.Primitives, verb) {
			dead = false
		} else if verbs[verb] != nil && places[verb] == "" {
			f, _ := p.Object.Field("primitive")
			places[verb] = fmt.Sprintf("%s:%d", p.File, f.Value.Line)
		}
	}
	for _, verb := range slices.Sorted(maps.Keys(places)) {
		says := fmt.Sprintf("does not list %s, which strategy %s proposes (%s)", verb, strategy, places[verb])
		if dead {
			mistakes = append(mistakes, a.MistakeAt("spec.primitives", says+", so that none of its proposals can act", "add "+verb+", or take the strategy out of spec.strategies"))
		} else {
			warnings = append(warnings, a.MistakeAt("spec.primitives", says, "add it, or every such proposal is refused"))
		}
	}
	return mistakes, warnings
}

// noStrategy returns the mistake for a strategy that the policies do not have.
func noStrategy(a *manifest.Agent, i int, rev *policy.Revision) mistake.Mistake {
	name := a.Spec.Strategies[i]
	names := rev.Strategies()
	message, fix := fmt.Sprintf("no strategy %q in the policies", name), "they have "+strings.Join(names, ", ")
	misplaced := rev.MisplacedProposes()
	switch near := spelling.Nearest(name, names); {
	case near != "":
		fix = fmt.Sprintf("did you mean %s? They have %s", near, strings.Join(names, ", "))
	case len(misplaced) > 0:
		var places []string
		for _, m := range misplaced {
			places = append(places, fmt.Sprintf("package %s (%s:%d)", m.Package, m.File, m.Line))
		}
		fix = fmt.Sprintf("propose is in %s, and has to be in package scanflow.strategies.%s", strings.Join(places, ", "), name)
	case len(names) == 0:
		fix = fmt.Sprintf("they have none: no package contains propose; write `propose contains proposal if {...}` in package scanflow.strategies.%s", name)
	}
	return a.MistakeAt(fmt.Sprintf("spec.strategies[%d]", i), message, fix)
}
