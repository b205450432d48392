package policy

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A schema in METADATA that says to read a file of this machine is refused, and the file
// is not read.
func TestASchemaReadsNoFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"type": "object", "properties": {"s3cret": {"type": "string"}}}`), 0o600))
	for _, schema := range []string{
		`{"$ref": "file://` + file + `"}`,
		`{"$id": "File://` + filepath.Dir(file) + `/x", "$ref": "secret.json"}`,
		`{"$id": " file://` + file + `", "$ref": "#"}`,
		`{"properties": {"a": {"allOf": [{"$ref": "file://` + file + `"}]}}}`,
	} {
		_, err := Draft(t.Context(), sourceOf(t, map[string]string{"x.rego": "package x\n\n# METADATA\n# schemas:\n#   - input: " + schema + "\nallow if input.other == 1\n"}))
		require.ErrorContains(t, err, "the schema of input refers to", schema)
		require.ErrorContains(t, err, "x.rego:")
		require.NotContains(t, err.Error(), "s3cret")
	}
	_, err := Draft(t.Context(), sourceOf(t, map[string]string{"x.rego": "package x\n\n# METADATA\n# schemas:\n#   - input: {definitions: {a: {type: object, properties: {other: {type: number}}}}, $ref: \"#/definitions/a\"}\nallow if input.other == 1\n"}))
	require.NoError(t, err)
}
