package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A file's name begins no line of the reader's own.
func TestAFileNameIsOnOneLine(t *testing.T) {
	m := Mistake{File: "a\nok: 1 agents\x1b[31m.rego", Line: 3, Col: 1, Message: "is wrong"}
	require.Equal(t, `"a\nok: 1 agents\x1b[31m.rego":3:1: is wrong`, m.String())
	m.File = "scanflow/größe.rego"
	require.Equal(t, "scanflow/größe.rego:3:1: is wrong", m.String())
}
