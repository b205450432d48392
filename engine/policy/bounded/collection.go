package bounded

import (
	"net"

	"github.com/open-policy-agent/opa/v1/ast"
)

// written bounds operands by their size as text. It is for built-ins that visit all of
// their operands. Without arguments, it bounds every operand.
func written(operands ...int) check {
	return func(args []*ast.Term) error {
		if len(operands) == 0 {
			for i, t := range args {
				if !Within(t.Value, MaxWritten) {
					return tooLarge(i + 1)
				}
			}
			return nil
		}
		for _, i := range operands {
			if !Within(args[i].Value, MaxWritten) {
				return tooLarge(i + 1)
			}
		}
		return nil
	}
}

func length(t *ast.Term) int {
	switch v := t.Value.(type) {
	case *ast.Array:
		return v.Len()
	case ast.Set:
		return v.Len()
	case ast.Object:
		return v.Len()
	}
	return 1
}

// concatenated bounds array.concat by its result.
func concatenated(args []*ast.Term) error {
	if n := length(args[0]) + length(args[1]); n > MaxElements {
		return refuse("the array would have %d elements, and the most is %d; build a shorter one", n, MaxElements)
	}
	return nil
}

// flattened bounds array.flatten by its result.
func flattened(args []*ast.Term) error {
	list, ok := args[0].Value.(*ast.Array)
	if !ok {
		return nil
	}
	total := 0
	list.Until(func(t *ast.Term) bool {
		total += length(t)
		return total > MaxElements
	})
	if total > MaxElements {
		return refuse("the array would have more than %d elements; build a shorter one", MaxElements)
	}
	return nil
}

// pairs bounds a built-in that visits every pair of two collections.
func pairs(args []*ast.Term) error {
	if err := written(0, 1)(args); err != nil {
		return err
	}
	if a, b := length(args[0]), length(args[1]); a*b > MaxElements {
		return refuse("%d times %d pairs are more than %d; pass on fewer", a, b, MaxElements)
	}
	return nil
}

// subset bounds object.subset, which searches one array in the other at every index.
func subset(args []*ast.Term) error {
	if err := written(0, 1)(args); err != nil {
		return err
	}
	a, _ := Written(args[0].Value, MaxWritten)
	b, _ := Written(args[1].Value, MaxWritten)
	if min(a.Bytes, MaxWritten)*min(b.Bytes, MaxWritten) > MaxWork*64 {
		return refuse("a comparison of %d with %d bytes, at every place, takes too long; compare smaller parts", a.Bytes, b.Bytes)
	}
	return nil
}

// expanded bounds net.cidr_expand by the addresses of the network.
func expanded(args []*ast.Term) error {
	_, network, err := net.ParseCIDR(textOf(args[0]))
	if err != nil {
		return nil // stock OPA reports the error
	}
	if ones, bits := network.Mask.Size(); bits-ones > 18 {
		return refuse("a network of /%d has more than %d addresses; expand a smaller one, or ask with net.cidr_contains", ones, MaxElements)
	}
	return nil
}

// merged bounds net.cidr_merge, whose work is quadratic.
func merged(args []*ast.Term) error {
	if n := length(args[0]); n > 1<<13 {
		return refuse("%d networks are more than %d; merge fewer", n, 1<<13)
	}
	return written(0)(args)
}

// patched bounds json.patch. Each copy can double the value.
func patched(args []*ast.Term) error {
	if err := written(0, 1)(args); err != nil {
		return err
	}
	size, _ := Written(args[0].Value, MaxWritten)
	total := size.Bytes
	list, ok := args[1].Value.(*ast.Array)
	if !ok {
		return nil
	}
	op, value := ast.InternedTerm("op"), ast.InternedTerm("value")
	over := list.Until(func(t *ast.Term) bool {
		o, ok := t.Value.(ast.Object)
		if !ok {
			return false
		}
		if v := o.Get(value); v != nil {
			more, _ := Written(v.Value, MaxWritten)
			total += more.Bytes
		}
		if name := o.Get(op); name != nil && name.Value.Compare(ast.String("copy")) == 0 {
			total *= 2
		}
		return total > MaxWritten
	})
	if over {
		return refuse("the patched value could be larger than %d MiB when it is written out; apply fewer copies", MaxWritten>>20)
	}
	if n := int64(length(args[1])); n*size.Bytes > MaxWork*16 {
		return refuse("%d operations on a value of %d bytes take too long; apply fewer", n, size.Bytes)
	}
	return nil
}
