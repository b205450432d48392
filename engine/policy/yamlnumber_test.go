package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A whole number in data comes to policies as it is written, or is refused by file and line.
func TestWholeNumbersInData(t *testing.T) {
	for number, fits := range map[string]bool{
		"9007199254740993": true, "18446744073709551615": true, "-9223372036854775808": true, "18446744073709551616": true, // a power of two
		"18446744073709551617": false, "-18446744073709551617": false, "+18446744073709551617": false, "100000000000000000000001": false, `"18446744073709551617"`: true,
		"1e21": true, "1.5": true,
	} {
		_, err := Compile(t.Context(), sourceOf(t, map[string]string{"x.rego": proposes("x", "true"), "x/data.yaml": "a: 1\nlist:\n  - {n: " + number + "}\n"}), Options{})
		if fits {
			require.NoError(t, err, number)
			continue
		}
		require.ErrorContains(t, err, "x/data.yaml:3", number)
		require.ErrorContains(t, err, "would be rounded; write it in quotes, or in a data.json", number)
	}
	for _, number := range []string{"18446744073709551617", "9007199254740993"} {
		rev := compiled(t, map[string]string{"data.json": `{"n": ` + number + `}`, "x.rego": proposes("x", "format_int(data.n, 10) == \""+number+"\"")}, Options{})
		require.Len(t, rev.Evaluate(t.Context(), []string{"x"}, document(100)).Proposals, 1, number)
	}
}
