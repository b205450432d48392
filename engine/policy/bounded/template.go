package bounded

import (
	"math"
	"text/template/parse"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxGrowing bounds the calls in a template that join or escape texts.
const maxGrowing = 4

// rendered bounds strings.render_template. A template is a program. It is refused if its
// output can't be bounded (templates that call each other). Otherwise the output is
// estimated as if every branch were taken and every loop ran over the longest collection.
func rendered(args []*ast.Term) error {
	source := textOf(args[0])
	if len(source) > MaxProgram {
		return refuse("the template is longer than %d bytes; write a shorter one", MaxProgram)
	}
	size, ok := Written(args[1].Value, MaxText)
	if !ok {
		return tooMuchText("the rendered text")
	}
	tree := parse.New("template")
	tree.Mode = parse.SkipFuncCheck
	set := map[string]*parse.Tree{}
	if _, err := tree.Parse(source, "", "", set); err != nil {
		return nil //nolint:nilerr // stock OPA reports the error
	}
	if tree.Root == nil {
		return nil
	}
	if len(set) > 1 {
		return refuse("the template defines another; write it out instead")
	}
	t := estimate{longest: longestIn(args[1].Value), each: float64(size.Bytes) + float64(len(source))}
	if err := t.find(tree.Root); err != nil {
		return err
	}
	for range t.growing {
		t.each *= 8
	}
	if t.list(tree.Root) > MaxText*4 {
		return tooMuchText("the rendered text")
	}
	return nil
}

// longestIn returns the length of the longest collection within a value.
func longestIn(v ast.Value) int {
	longest := 0
	var visit func(v ast.Value)
	visit = func(v ast.Value) {
		switch v := v.(type) {
		case *ast.Array:
			longest = max(longest, v.Len())
			v.Foreach(func(t *ast.Term) { visit(t.Value) })
		case ast.Set:
			longest = max(longest, v.Len())
			v.Foreach(func(t *ast.Term) { visit(t.Value) })
		case ast.Object:
			longest = max(longest, v.Len())
			v.Foreach(func(_, t *ast.Term) { visit(t.Value) })
		}
	}
	visit(v)
	return longest
}

type estimate struct {
	longest int     // maximum of iterations of a loop
	each    float64 // maximum of bytes that one action writes
	growing int
}

// list returns an upper bound of the bytes that a list of nodes writes.
func (r *estimate) list(l *parse.ListNode) float64 {
	if l == nil {
		return 0
	}
	total := 0.0
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			total += float64(len(n.Text))
		case *parse.RangeNode:
			total += math.Max(float64(r.longest), 1)*(16+r.list(n.List)) + r.list(n.ElseList)
		case *parse.IfNode:
			total += r.list(n.List) + r.list(n.ElseList)
		case *parse.WithNode:
			total += r.list(n.List) + r.list(n.ElseList)
		default:
			total += r.each
		}
	}
	return total
}

// find refuses pipelines whose output can't be estimated, and counts the calls that join
// or escape texts.
func (r *estimate) find(l *parse.ListNode) error {
	if l == nil {
		return nil
	}
	for _, n := range l.Nodes {
		var err error
		switch n := n.(type) {
		case *parse.ActionNode:
			err = r.pipe(n.Pipe)
		case *parse.RangeNode:
			if err = r.overNumber(n.Pipe); err == nil {
				err = r.branch(&n.BranchNode)
			}
		case *parse.IfNode:
			err = r.branch(&n.BranchNode)
		case *parse.WithNode:
			err = r.branch(&n.BranchNode)
		case *parse.TemplateNode:
			err = refuse("the template calls another; write it out instead")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *estimate) branch(b *parse.BranchNode) error {
	if err := r.pipe(b.Pipe); err != nil {
		return err
	}
	if err := r.find(b.List); err != nil {
		return err
	}
	return r.find(b.ElseList)
}

// overNumber refuses a range over a number or a computed value.
func (r *estimate) overNumber(p *parse.PipeNode) error {
	for _, c := range p.Cmds {
		for _, a := range c.Args {
			switch a.(type) {
			case *parse.NumberNode, *parse.IdentifierNode, *parse.PipeNode:
				return refuse("a range in the template is not over a collection by its name; pass the collection on in the values")
			}
		}
	}
	return nil
}

func (r *estimate) pipe(p *parse.PipeNode) error {
	if p == nil {
		return nil
	}
	if p.IsAssign {
		return refuse("the template sets a variable anew; declare another one with :=")
	}
	for _, c := range p.Cmds {
		for i, a := range c.Args {
			switch a := a.(type) {
			case *parse.PipeNode:
				if err := r.pipe(a); err != nil {
					return err
				}
			case *parse.IdentifierNode:
				if i == 0 {
					if err := r.call(a.Ident, c.Args[1:]); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

func (r *estimate) call(name string, args []parse.Node) error {
	switch name {
	case "printf":
		format, ok := first(args).(*parse.StringNode)
		if !ok {
			return refuse("the format of a printf in the template is not written in it; write it as a string")
		}
		if widths, verbs, again, wide := scanFormat(format.Text); widths > MaxWidth || verbs > 8 || again || wide {
			return refuse("a printf in the template has more than 8 verbs, a width above %d, or one from its arguments; write a simpler one", MaxWidth)
		}
		r.each += MaxWidth
	case "print", "println", "html", "js", "urlquery":
		if len(args) > 8 {
			return refuse("a %s in the template has more than 8 arguments; use several", name)
		}
	default:
		return nil
	}
	if r.growing++; r.growing > maxGrowing {
		return refuse("the template calls print, printf, html, js and urlquery more than %d times; format the values before", maxGrowing)
	}
	return nil
}

func first(nodes []parse.Node) parse.Node {
	if len(nodes) == 0 {
		return nil
	}
	return nodes[0]
}
