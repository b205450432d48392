package engine_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// A document that was written, as by scanflow eval, reads back as it was.
func TestADocumentKeepsSustained(t *testing.T) {
	zero, minute := time.Duration(0), time.Minute
	for name, s := range map[string]*engine.Sustained{
		"none":        nil,
		"not covered": {Samples: 1, Above: &zero},
		"covered":     {Samples: 7, Span: time.Hour, Covered: true, Min: -1.5, Max: 2, Avg: 0, Above: &minute, Below: &zero},
	} {
		t.Run(name, func(t *testing.T) {
			doc := engine.Document{Agent: &engine.AgentInfo{}, Trigger: &engine.TriggerInfo{}, Names: []string{"load"}, Signals: []engine.Signal{{State: engine.OK, Value: 1.0, Sustained: s}}}
			raw, err := json.Marshal(&doc)
			require.NoError(t, err)
			read, err := engine.ReadDocument(raw)
			require.NoError(t, err)
			require.Equal(t, s, read.Signals[0].Sustained)
		})
	}
	for text, says := range map[string]string{
		`{"signals": {"load": {"state": "stale", "sustained": {"samples": 1, "span_ns": 0}}}}`:        "signals.load.sustained: is there only in state ok, and the state is stale; leave it out",
		`{"signals": {"load": {"state": "ok", "sustained": {"samples": 1, "span_ns": 0, "min": 1}}}}`: "signals.load.sustained: has some of min, max and avg; write all three, or none where the samples do not cover the span",
		`{"signals": {"load": {"state": "ok", "sustained": {"sample": 1}}}}`:                          `unknown field "sample"`,
	} {
		_, err := engine.ReadDocument([]byte(text))
		require.ErrorContains(t, err, says)
	}
}

// So it does for the members without a number.
func TestADocumentKeepsMissing(t *testing.T) {
	missing := map[string]engine.State{"v2": engine.NaN, "a b": engine.Error}
	doc := engine.Document{Agent: &engine.AgentInfo{}, Trigger: &engine.TriggerInfo{}, Names: []string{"errors"}, Signals: []engine.Signal{{State: engine.Error, Missing: missing}}}
	raw, err := json.Marshal(&doc)
	require.NoError(t, err)
	read, err := engine.ReadDocument(raw)
	require.NoError(t, err)
	require.Equal(t, missing, read.Signals[0].Missing)
	for _, text := range []string{
		`{"signals": {"errors": {"state": "error", "missing": {"v2": "gone"}}}}`,
		`{"signals": {"errors": {"state": "error", "missing": {"v2": "ok"}}}}`,
		`{"signals": {"errors": {"state": "ok", "value": {}, "missing": {"v2": "nan"}}}}`,
	} {
		_, err := engine.ReadDocument([]byte(text))
		require.ErrorContains(t, err, "signals.errors.missing.v2: ", text)
	}
}
