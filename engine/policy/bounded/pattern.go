package bounded

import (
	"regexp/syntax"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// program is the cost of a regular expression.
type program struct {
	steps int // instructions, each of which is tried at every character
	// linear reports whether one pass over a text finds all matches. Otherwise the search
	// for each match may read to the end of the text.
	linear bool
	fault  bool // a syntax error, which stock OPA reports
}

// programs caches the costs of expressions.
type programs struct {
	mu    sync.Mutex
	known map[string]program
}

var expressions programs

const maxKnown = 256

func (p *programs) of(pattern string) program {
	p.mu.Lock()
	known, ok := p.known[pattern]
	p.mu.Unlock()
	if ok {
		return known
	}
	out := cost(pattern)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil || len(p.known) >= maxKnown {
		p.known = map[string]program{}
	}
	p.known[pattern] = out
	return out
}

func cost(pattern string) program {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return program{fault: true}
	}
	return program{steps: instructions(re), linear: onePass(re)}
}

// instructions estimates the instructions of a compiled expression, in which counted
// repetitions are expanded.
func instructions(re *syntax.Regexp) int {
	n := 1
	if re.Op == syntax.OpLiteral {
		n = len(re.Rune)
	}
	for _, sub := range re.Sub {
		n = min(n+instructions(sub), MaxWork)
	}
	if re.Op == syntax.OpRepeat {
		n = min(n*max(re.Min, re.Max, 1), MaxWork)
	}
	return n
}

// onePass reports whether a search for a match never has to read far beyond it: there is
// no unbounded repetition except one of single characters at the very end, as in `\s+`
// or `id=[0-9]+`.
func onePass(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpStar, syntax.OpPlus:
		return single(re.Sub[0])
	case syntax.OpRepeat:
		return re.Max >= 0 && !unbounded(re) || re.Max < 0 && single(re.Sub[0])
	case syntax.OpCapture:
		return onePass(re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub[:len(re.Sub)-1] {
			if unbounded(sub) {
				return false
			}
		}
		return onePass(re.Sub[len(re.Sub)-1])
	}
	return !unbounded(re)
}

func single(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true
	case syntax.OpLiteral:
		return len(re.Rune) == 1
	}
	return false
}

func unbounded(re *syntax.Regexp) bool {
	if re.Op == syntax.OpStar || re.Op == syntax.OpPlus || re.Op == syntax.OpRepeat && re.Max < 0 {
		return true
	}
	for _, sub := range re.Sub {
		if unbounded(sub) {
			return true
		}
	}
	return false
}

// matched bounds one search by the product of expression and text.
func matched(pattern, in int) check {
	return func(args []*ast.Term) error { return search(textOf(args[pattern]), textOf(args[in]), false) }
}

// foundAll bounds a search for all matches.
func foundAll(pattern, in int) check {
	return func(args []*ast.Term) error { return search(textOf(args[pattern]), textOf(args[in]), true) }
}

func search(pattern, in string, all bool) error {
	if len(pattern) > MaxPattern {
		return refuse("the pattern is longer than %d bytes; write a shorter one", MaxPattern)
	}
	if len(in) > MaxText {
		return refuse("the text is longer than %d bytes; work on a shorter text", MaxText)
	}
	p := expressions.of(pattern)
	if p.fault {
		return nil
	}
	if p.steps > MaxSteps {
		return refuse("the pattern has more than %d steps when its repetitions are written out; use smaller counts", MaxSteps)
	}
	work := p.steps * (len(in) + 1)
	if all && !p.linear {
		work = min(work, MaxWork) * (len(in)/4 + 1)
	}
	if work > MaxWork {
		return refuse("matching a pattern of %d steps against %d bytes could take more than %d steps; use a simpler pattern or a shorter text", p.steps, len(in), MaxWork)
	}
	return nil
}

// regexReplaced bounds regex.replace by its work and its result.
func regexReplaced(args []*ast.Term) error {
	in, pattern, by := textOf(args[0]), textOf(args[1]), textOf(args[2])
	if err := search(pattern, in, true); err != nil {
		return err
	}
	// Each group in the replacement may be the whole match, and all matches together are
	// at most as long as the text.
	groups := strings.Count(by, "$")
	if (len(in)+1)*len(by)+groups*len(in) > MaxText {
		return tooMuchText("the replaced text")
	}
	return nil
}

// submatches bounds regex.find_all_string_submatch_n by its elements.
func submatches(args []*ast.Term) error {
	pattern, in := textOf(args[0]), textOf(args[1])
	if err := search(pattern, in, true); err != nil {
		return err
	}
	if groups := strings.Count(pattern, "(") + 1; groups*(len(in)+1) > MaxElements*4 {
		return refuse("%d groups in a text of %d bytes could give more than %d elements; use fewer groups or a shorter text", groups-1, len(in), MaxElements*4)
	}
	return nil
}

// pattern bounds a built-in that only parses a pattern.
func pattern(args []*ast.Term) error {
	if len(textOf(args[0])) > MaxPattern {
		return refuse("the pattern is longer than %d bytes; write a shorter one", MaxPattern)
	}
	return nil
}

// templateMatched bounds regex.template_match by the sum of the costs of the expressions
// between delimiters.
func templateMatched(args []*ast.Term) error {
	text, in, open, end := textOf(args[0]), textOf(args[1]), textOf(args[2]), textOf(args[3])
	if len(text) > MaxPattern {
		return refuse("the pattern is longer than %d bytes; write a shorter one", MaxPattern)
	}
	if len(open) != 1 || len(end) != 1 {
		return nil
	}
	steps, level, from := len(text), 0, 0
	for i := range len(text) {
		switch text[i] {
		case open[0]:
			if level++; level == 1 {
				from = i + 1
			}
		case end[0]:
			if level--; level == 0 {
				steps = min(steps+expressions.of(text[from:i]).steps, MaxWork)
			}
		}
	}
	if steps > MaxSteps || steps*(len(in)+1) > MaxWork {
		return refuse("matching a pattern of %d steps against %d bytes could take more than %d steps; use a simpler pattern or a shorter text", steps, len(in), MaxWork)
	}
	return nil
}

// globs bounds glob.match and regex.globs_match by the product of pattern and text.
func globs(a, b int) check {
	return func(args []*ast.Term) error {
		p, s := textOf(args[a]), textOf(args[b])
		if len(p) > MaxPattern {
			return refuse("the pattern is longer than %d bytes; write a shorter one", MaxPattern)
		}
		if (len(p)+1)*(len(s)+1) > MaxWork/8 {
			return refuse("matching a pattern of %d bytes against %d bytes could take more than %d steps; use a shorter text", len(p), len(s), MaxWork/8)
		}
		return nil
	}
}
