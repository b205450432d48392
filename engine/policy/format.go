package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

// Format returns Rego v1 as OPA's formatter writes it. The error is of type Mistakes, with the
// places.
func Format(name string, text []byte) ([]byte, error) {
	out, err := format.SourceWithOpts(name, text, format.Opts{
		RegoVersion: ast.RegoV1, ParserOptions: &ast.ParserOptions{RegoVersion: ast.RegoV1},
	})
	if err != nil {
		return nil, fromOPA(err)
	}
	return out, nil
}
