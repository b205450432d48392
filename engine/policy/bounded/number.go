package bounded

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// small reports whether a number is so short that no arithmetic on it needs a check.
func small(n ast.Number) bool {
	if len(n) > 18 {
		return false
	}
	for i := range len(n) {
		if n[i]|0x20 == 'e' {
			return false
		}
	}
	return true
}

// Digits returns an upper bound of the digits of a number without an exponent. For a
// text that is not a number it returns at least its length.
func Digits(n string) int {
	for i := range len(n) {
		if n[i]|0x20 != 'e' {
			continue
		}
		exp, err := strconv.Atoi(n[i+1:])
		if err != nil || exp > MaxDigits*2 || exp < -MaxDigits*2 {
			return len(n) + MaxDigits*2
		}
		return i + max(exp, -exp)
	}
	return len(n)
}

// CheckNumber returns an error for a number of more than MaxDigits digits.
func CheckNumber(n string) error {
	if len(n) <= 18 && small(ast.Number(n)) || Digits(n) <= MaxDigits {
		return nil
	}
	if len(n) > 40 {
		n = n[:40] + "..."
	}
	return fmt.Errorf("number %s has more than %d digits when it is written out", n, MaxDigits)
}

// numbers refuses numbers that are too large.
func numbers(args []*ast.Term) error {
	for i, t := range args {
		if n, ok := t.Value.(ast.Number); ok && !small(n) {
			if CheckNumber(string(n)) != nil {
				return refuse("operand %d has more than %d digits when it is written out; use a smaller number", i+1, MaxDigits)
			}
		}
	}
	return nil
}

// subtracted bounds minus, which accepts sets too.
func subtracted(args []*ast.Term) error {
	if _, ok := args[0].Value.(ast.Set); ok {
		return written(0, 1)(args)
	}
	return numbers(args)
}

// sumOfDigits bounds a product or quotient, which has no more digits than its operands
// together.
func sumOfDigits(args []*ast.Term) error {
	a, okA := args[0].Value.(ast.Number)
	b, okB := args[1].Value.(ast.Number)
	if !okA || !okB || small(a) && small(b) {
		return nil
	}
	if Digits(string(a))+Digits(string(b)) > MaxDigits {
		return refuse("the result could have more than %d digits; use smaller numbers", MaxDigits)
	}
	return nil
}

// shiftLeft bounds bits.lsh: a shift by n bits adds n*0.302 digits.
func shiftLeft(args []*ast.Term) error {
	if err := numbers(args); err != nil {
		return err
	}
	a, okA := args[0].Value.(ast.Number)
	b, okB := args[1].Value.(ast.Number)
	if !okA || !okB {
		return nil
	}
	by, ok := new(big.Float).SetString(string(b))
	if !ok || by.Sign() <= 0 {
		return nil
	}
	if bits, _ := by.Float64(); bits*0.302+float64(Digits(string(a))) > MaxDigits {
		return refuse("the result could have more than %d digits; shift by fewer bits", MaxDigits)
	}
	return nil
}

// sum refuses a collection with a number that is too large.
func sum(args []*ast.Term) error { return accumulate(args, false) }

// product bounds the sum of the digits of the factors.
func product(args []*ast.Term) error { return accumulate(args, true) }

func accumulate(args []*ast.Term, times bool) error {
	total, at := 0, 0
	one := func(t *ast.Term) bool {
		n, ok := t.Value.(ast.Number)
		if !ok {
			return false
		}
		at++
		d := len(n)
		if !small(n) {
			d = Digits(string(n))
		}
		if d == 1 && n <= "1" {
			d = 0 // 0 and 1 add no digits to a product
		}
		if times {
			total += d
		} else {
			total = d
		}
		return total > MaxDigits
	}
	var over bool
	switch c := args[0].Value.(type) {
	case *ast.Array:
		over = c.Until(one)
	case ast.Set:
		over = c.Until(one)
	}
	switch {
	case over && times:
		return refuse("the product of the first %d factors could have more than %d digits; multiply fewer or smaller numbers", at, MaxDigits)
	case over:
		return refuse("element %d has more than %d digits when it is written out; use a smaller number", at, MaxDigits)
	}
	return nil
}

// parsed bounds a number that is parsed from a text, with an optional unit.
func parsed(args []*ast.Term) error {
	s, ok := args[0].Value.(ast.String)
	if !ok {
		return numbers(args)
	}
	if len(s) > MaxDigits {
		return refuse("the text of the number is longer than %d characters; use a smaller number", MaxDigits)
	}
	for i := range len(s) {
		if s[i]|0x20 != 'e' {
			continue
		}
		end := i + 1
		if end < len(s) && (s[end] == '+' || s[end] == '-') {
			end++
		}
		for end < len(s) && s[end] >= '0' && s[end] <= '9' {
			end++
		}
		if exp, err := strconv.Atoi(string(s[i+1 : end])); end > i+1 && (err != nil && end > i+2 || exp+i > MaxDigits || exp-i < -MaxDigits) {
			return refuse("the number has more than %d digits when it is written out; use a smaller number", MaxDigits)
		}
	}
	return nil
}

// numberRange bounds numbers.range and numbers.range_step by their elements.
func numberRange(step bool) check {
	return func(args []*ast.Term) error {
		if err := numbers(args); err != nil {
			return err
		}
		from, okFrom := float(args[0])
		to, okTo := float(args[1])
		if !okFrom || !okTo {
			return nil
		}
		length := new(big.Float).Sub(to, from)
		length.Abs(length)
		if step {
			if by, ok := float(args[2]); ok && by.Cmp(big.NewFloat(1)) > 0 {
				length.Quo(length, by)
			}
		}
		if length.Cmp(big.NewFloat(MaxElements-1)) > 0 {
			return refuse("the range would have more than %d elements; make it shorter", MaxElements)
		}
		return nil
	}
}

// float returns a number with full precision.
func float(t *ast.Term) (*big.Float, bool) {
	n, ok := t.Value.(ast.Number)
	if !ok {
		return nil, false
	}
	prec := uint(64)
	if !small(n) {
		prec = MaxDigits * 4
	}
	return new(big.Float).SetPrec(prec).SetString(string(n))
}

// CheckValue returns an error for a decoded JSON value that contains a number which
// CheckNumber refuses, or NaN or an infinity. The error begins with the path, such as
// ".a[3]: ".
func CheckValue(v any) error {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf(": %v is no number in JSON", v)
		}
	case json.Number:
		if _, err := strconv.ParseFloat(string(v), 64); err != nil && !errors.Is(err, strconv.ErrRange) || strings.ContainsAny(string(v), "nNxXpP_") {
			return fmt.Errorf(": %.40q is no number in JSON", string(v))
		}
		if err := CheckNumber(string(v)); err != nil {
			return fmt.Errorf(": %w", err)
		}
	case []any:
		for i, part := range v {
			if err := CheckValue(part); err != nil {
				return fmt.Errorf("[%d]%w", i, err)
			}
		}
	case map[string]any:
		for key, part := range v {
			if err := CheckValue(part); err != nil {
				return fmt.Errorf(".%.40s%w", key, err)
			}
		}
	}
	return nil
}
