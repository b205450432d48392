package server

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

// FuzzParse reads any request body: the result is images or mistakes, both within their limits.
func FuzzParse(f *testing.F) {
	zeros := "[" + strings.TrimSuffix(strings.Repeat("0,", digits.Pixels), ",") + "]"
	for _, body := range []string{
		`{"instances":[{"pixels":` + zeros + `}]}`, `{"instances":[{"pixels":` + strings.Replace(zeros, "0", "1e100000", 1) + `}]}`, `{"instances":[{"pixels":` + strings.Replace(zeros, "0", "null", 1) + `}]}`,
		`{"instances":[null]}`, `{"instances":[{"pixels":[],"pixels":` + zeros + `}]}`, `{"instances":` + strings.Repeat("[", 20_000), `{"instances":[` + strings.Repeat(`{},`, 300) + `{}]}`, `{"instances":[{"pixels":[` + strings.Repeat(`"x",`, 5000) + `0]}]}`, `null`, ``, `{}{}`, strings.Repeat("\x00", digits.Pixels),
	} {
		for _, kind := range []string{"", "application/json", "application/octet-stream", "text/plain; a=\"", "application/json; charset=\xff"} {
			f.Add(kind, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		images, mistakes := parse(kind, body)
		if len(mistakes) == 0 {
			require.NotEmpty(t, images)
			require.LessOrEqual(t, len(images), maxInstances)
			return
		}
		require.LessOrEqual(t, len(mistakes), maxMistakes+1)
		for _, m := range mistakes {
			require.NotEmpty(t, m)
			require.LessOrEqual(t, len(m), 1000)
		}
	})
}
