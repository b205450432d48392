package sensors_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// The size limit applies to the decompressed response.
func TestCompressedAnswersAreBoundedAsDecompressed(t *testing.T) {
	zipped := func(size int) []byte {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		_, err := z.Write(append(bytes.Repeat([]byte("# comment\n"), size/10), "load 3\n"...))
		require.NoError(t, err)
		require.NoError(t, z.Close())
		require.Less(t, out.Len(), 1<<20)
		return out.Bytes()
	}
	for size, want := range map[int]engine.State{8<<20 - 100: engine.OK, 8<<20 + 10: engine.Error, 64 << 20: engine.Error} {
		page := zipped(size)
		address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(page)
		})
		got := sampleAt(t, build(t, "scrape", &sensors.ScrapeConfig{URL: address, Metric: "load", Timeout: seconds(20)}, sensors.Env{}), now, target("x", "a"))[0]
		require.Equal(t, want, got.State, "%d: %s", size, got.Problem)
		if want == engine.Error {
			require.Contains(t, got.Problem, "the answer is too large: more than 8 MiB")
		}
	}
}
