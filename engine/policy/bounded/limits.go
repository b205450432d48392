package bounded

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// The limits. Each is far above what a policy needs, and low enough for one call to end
// well within a second and in a few hundred MiB.
const (
	// MaxDigits bounds a number: the digits that it takes to write it out without an
	// exponent.
	MaxDigits = 4000
	// MaxText bounds the text that a built-in takes or gives, in bytes.
	MaxText = 1 << 20
	// MaxElements bounds the elements of a collection that a built-in makes.
	MaxElements = 1 << 18
	// MaxWritten bounds a value that a built-in has to visit as a whole, in bytes as
	// Written counts them.
	MaxWritten = 8 << 20
	// MaxWork bounds what a built-in does, in small steps of some nanoseconds each.
	MaxWork = 1 << 26
	// MaxPattern bounds the text of a regular expression or glob, in bytes.
	MaxPattern = 4 << 10
	// MaxSteps bounds a compiled regular expression: OPA keeps a hundred of them.
	MaxSteps = 10_000
	// MaxProgram bounds a text that is parsed as a language (a GraphQL query, a template,
	// a Rego module) or as a key or certificate, in bytes.
	MaxProgram = 16 << 10
	// MaxDepth bounds how deeply brackets are nested, in data and in Rego.
	MaxDepth = 500
	// MaxWidth bounds a width or precision in a format of sprintf.
	MaxWidth = 1000
)

// refused is why a call was not made. It names the limit and what to do.
type refused struct{ message string }

func (r *refused) Error() string { return r.message }

func refuse(format string, args ...any) error {
	return &refused{fmt.Sprintf(format, args...)}
}

func tooMuchText(what string) error {
	return refuse("%s would be longer than %d bytes; work on a shorter text", what, MaxText)
}

func tooLarge(operand int) error {
	return refuse("operand %d is larger than %d MiB when it is written out, parts that it holds several times counted each time; pass on the part that is needed", operand, MaxWritten>>20)
}

// halt ends the whole evaluation, so that a refusal is never taken for "undefined", as
// other errors of built-ins are in tests.
func halt(name string, loc *ast.Location, err error) error {
	return topdown.Halt{Err: &topdown.Error{Code: topdown.BuiltinErr, Message: name + ": " + err.Error(), Location: loc}}
}
