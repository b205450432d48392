package cloudevents

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/server/hostile"
)

// fuzzBytes is the length of the large hostile payloads in the seed corpus.
const fuzzBytes = 3000

// Any payload is read as events within the limits, or as an error. Events that the client encodes
// again are read as the same events.
func FuzzRead(f *testing.F) {
	now, limits := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC), Limits{Bytes: 4096, Events: 5}
	for _, p := range hostile.Payloads(fuzzBytes) {
		headers := http.Header{}
		for i := 0; i < len(p.Headers); i += 2 {
			headers.Add(p.Headers[i], p.Headers[i+1])
		}
		f.Add(headers.Get("Content-Type"), []byte(p.Body), headers.Get("ce-subject"), headers.Get("ce-scanflowhops"))
	}
	f.Fuzz(func(t *testing.T, mediaType string, body []byte, subject, hops string) {
		r := httptest.NewRequest(http.MethodPost, "/v1/events", bytes.NewReader(body))
		r.Header = http.Header{
			"Content-Type": {mediaType}, "Ce-Id": {"1"}, "Ce-Source": {"/s"}, "Ce-Type": {"t"}, "Ce-Specversion": {"1.0"},
			"Ce-Subject": {subject}, "Ce-Scanflowhops": {hops},
		}
		events, err := Read(r, limits, now)
		if err != nil {
			require.Nil(t, events)
			require.NotEmpty(t, err.Error())
			require.Less(t, len(err.Error()), 20<<10, "little of what was sent comes back")
			require.False(t, strings.ContainsFunc(strings.ReplaceAll(err.Error(), "\n", ""), unicode.IsControl), "%q", err)
			return
		}
		require.LessOrEqual(t, len(events), limits.Events)
		for _, e := range events {
			require.NotEmpty(t, e.ID)
			require.NotEmpty(t, e.Type)
			require.GreaterOrEqual(t, e.Hops, 0)
			require.False(t, e.Time.IsZero())
		}
		if len(events) == 0 {
			return
		}
		written, kind, err := encode(events)
		require.NoError(t, err)
		again := httptest.NewRequest(http.MethodPost, "/v1/events", bytes.NewReader(written))
		again.Header.Set("Content-Type", kind)
		got, err := Read(again, Limits{Bytes: 1 << 20, Events: 5}, now)
		require.NoError(t, err)
		require.True(t, reflect.DeepEqual(values(t, events), values(t, got))) // cmp.Diff takes for ever over what is nested
	})
}

// values are events with their data as Go values.
func values(t *testing.T, events []engine.Event) []engine.Event {
	out := slices.Clone(events)
	for i := range out {
		if raw, is := out[i].Data.(json.RawMessage); is {
			out[i].Data = nil
			require.NoError(t, json.Unmarshal(raw, &out[i].Data))
		}
	}
	return out
}
