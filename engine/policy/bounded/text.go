package bounded

import (
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

func textOf(t *ast.Term) string {
	s, _ := t.Value.(ast.String)
	return string(s)
}

// text bounds the sum of the text operands, for built-ins whose result is at most a few
// times as long.
func text(most int) check {
	return func(args []*ast.Term) error {
		total := 0
		for _, t := range args {
			if s, ok := t.Value.(ast.String); ok {
				total += len(s)
			}
		}
		if total > most {
			return refuse("the text is longer than %d bytes; work on a shorter text", most)
		}
		return nil
	}
}

// searched bounds a search whose work is the product of the two texts.
func searched(args []*ast.Term) error {
	if s, sub := textOf(args[0]), textOf(args[1]); len(s)*len(sub) > MaxWork {
		return refuse("a search for %d bytes in %d bytes is more than %d steps; search a shorter text", len(sub), len(s), MaxWork)
	}
	return nil
}

// everyIndex bounds indexof_n, whose matches may overlap.
func everyIndex(args []*ast.Term) error {
	if err := searched(args); err != nil {
		return err
	}
	if s := textOf(args[0]); len(s) > MaxElements && strings.Count(s, textOf(args[1])) > 0 {
		return refuse("a text of %d bytes could give more than %d positions; search a shorter text", len(s), MaxElements)
	}
	return nil
}

// parts bounds the result of split.
func parts(args []*ast.Term) error {
	if s := textOf(args[0]); len(s) >= MaxElements && strings.Count(s, textOf(args[1])) >= MaxElements {
		return refuse("the text would be split into more than %d parts; split a shorter text", MaxElements)
	}
	return nil
}

// joined bounds concat by its result.
func joined(args []*ast.Term) error {
	n, total := 0, 0
	add := func(t *ast.Term) bool {
		n++
		total += len(textOf(t))
		return total > MaxText
	}
	switch c := args[1].Value.(type) {
	case *ast.Array:
		c.Until(add)
	case ast.Set:
		c.Until(add)
	}
	if n > 0 {
		total += (n - 1) * len(textOf(args[0]))
	}
	if total > MaxText {
		return tooMuchText("the joined text")
	}
	return nil
}

// replaced bounds replace by its result.
func replaced(args []*ast.Term) error {
	s, old, by := textOf(args[0]), textOf(args[1]), textOf(args[2])
	if len(s) > MaxText {
		return tooMuchText("the replaced text")
	}
	if (len(s)+1)*len(by) <= MaxText/2 {
		return nil
	}
	if len(s)+strings.Count(s, old)*len(by) > MaxText {
		return tooMuchText("the replaced text")
	}
	return nil
}

// replacedAll bounds strings.replace_n. The matches of each pattern are counted as if it
// were the only one, which is an upper bound.
func replacedAll(args []*ast.Term) error {
	if err := written(0, 1)(args); err != nil {
		return err
	}
	patterns, ok := args[0].Value.(ast.Object)
	s := textOf(args[1])
	if !ok {
		return nil
	}
	total, steps := len(s), 0
	over := patterns.Until(func(k, v *ast.Term) bool {
		steps += len(s)
		total += strings.Count(s, textOf(k)) * len(textOf(v))
		return total > MaxText || steps > MaxWork
	})
	if over || total > MaxText {
		return tooMuchText("the replaced text")
	}
	return nil
}

// printed bounds sprintf by its result: the widths in the format, and each argument as
// often as it can be printed.
func printed(args []*ast.Term) error {
	format := textOf(args[0])
	list, ok := args[1].Value.(*ast.Array)
	if !ok {
		return nil
	}
	widths, verbs, again, wide := scanFormat(format)
	if widths > MaxWidth {
		return refuse("the format has a width or precision above %d; use a smaller one", MaxWidth)
	}
	total, longest := int64(0), int64(0)
	for i := range list.Len() {
		v := list.Elem(i).Value
		size := Size{}
		switch v := v.(type) {
		case ast.Number:
			if CheckNumber(string(v)) != nil {
				return refuse("argument %d is a number of more than %d digits; use a smaller one", i+1, MaxDigits)
			}
			if n, ok := v.Int64(); wide && ok && (n > MaxWidth || n < -MaxWidth) {
				return refuse("the format takes a width or precision from the arguments, and argument %d is above %d; use a smaller one", i+1, MaxWidth)
			}
			size.Bytes = max(int64(Digits(string(v)))*4, 400)
		default:
			if size, ok = Written(v, MaxText); !ok {
				return tooMuchText("the formatted text")
			}
		}
		total += size.Bytes
		longest = max(longest, size.Bytes)
	}
	if again {
		total = longest * int64(verbs)
	}
	if total > MaxText/4 && strings.ContainsAny(format, "qxXUb#") {
		total *= 4 // quoting and hex write up to four characters for a byte
	}
	if wide {
		widths = MaxWidth
	}
	if total+int64(len(format))+int64(verbs)*int64(widths) > MaxText {
		return tooMuchText("the formatted text")
	}
	return nil
}

// scanFormat returns the largest width or precision in a format, the number of verbs,
// whether one may print an argument again (%[1]s), and whether a width is taken from the
// arguments (%*d).
func scanFormat(format string) (largest, verbs int, again, wide bool) {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		verbs++
		n := 0
	verb:
		for i++; i < len(format); i++ {
			switch c := format[i]; {
			case c >= '0' && c <= '9':
				n = min(n*10+int(c-'0'), MaxWidth*MaxWidth)
				largest = max(largest, n)
			case c == '[':
				again = true
				n = 0
			case c == '*':
				wide = true
				n = 0
			case strings.IndexByte("+-# .]", c) >= 0:
				n = 0
			default:
				break verb
			}
		}
	}
	return largest, verbs, again, wide
}

// shown bounds the output of print and of a template string.
func shown(args []*ast.Term) error {
	list, ok := args[0].Value.(*ast.Array)
	if !ok {
		return nil
	}
	lines := int64(1)
	var bytes int64
	for i := range list.Len() {
		size, ok := Written(list.Elem(i).Value, MaxText)
		if !ok {
			return tooMuchText("the printed text")
		}
		bytes += size.Bytes
		if set, is := list.Elem(i).Value.(ast.Set); is {
			lines = min(lines*int64(max(set.Len(), 1)), MaxText)
		}
	}
	if bytes*lines > MaxText {
		return tooMuchText("the printed text")
	}
	return nil
}

// trimmed bounds trim, trim_left and trim_right, whose work is the product of both
// operands if the set of characters is not ASCII.
func trimmed(args []*ast.Term) error {
	set := textOf(args[1])
	if len(set) <= 64 || len(textOf(args[0]))*utf8.RuneCountInString(set) <= MaxWork {
		return nil
	}
	return refuse("trimming %d characters off %d bytes is more than %d steps; name fewer characters", utf8.RuneCountInString(set), len(textOf(args[0])), MaxWork)
}
