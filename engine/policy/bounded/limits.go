package bounded

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// The limits. Each is far above what a policy needs, and low enough for one call to end
// well within a second and in a few hundred MiB.
const (
	// MaxDigits bounds the digits of a number in decimal notation without an exponent.
	MaxDigits = 4000
	// MaxText bounds a text that is an operand or a result of a built-in, in bytes.
	MaxText = 1 << 20
	// MaxElements bounds the elements of a collection that is a result of a built-in.
	MaxElements = 1 << 18
	// MaxWritten bounds a value that a built-in visits as a whole, in bytes as counted by
	// Written.
	MaxWritten = 8 << 20
	// MaxWork bounds the work of a built-in, in steps of a few nanoseconds.
	MaxWork = 1 << 26
	// MaxPattern bounds the text of a regular expression or glob, in bytes.
	MaxPattern = 4 << 10
	// MaxSteps bounds the instructions of a regular expression. OPA caches a hundred of them.
	MaxSteps = 10_000
	// MaxProgram bounds a text that is parsed as a language (a GraphQL query, a template,
	// a Rego module) or as a key or certificate, in bytes.
	MaxProgram = 16 << 10
	// MaxDepth bounds the depth of brackets in data and in Rego.
	MaxDepth = 500
	// MaxWidth bounds a width or precision in a format of sprintf.
	MaxWidth = 1000
)

// refused is the error of a call beyond a limit. It names the limit and an advice.
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

// halt ends the whole evaluation. Other errors of built-ins make an expression undefined
// in tests.
func halt(name string, loc *ast.Location, err error) error {
	return topdown.Halt{Err: &topdown.Error{Code: topdown.BuiltinErr, Message: name + ": " + err.Error(), Location: loc}}
}
