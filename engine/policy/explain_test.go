package policy

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExplainTracesAStoredDocument(t *testing.T) {
	rev := compiled(t, basic(), Options{})
	raw, err := json.Marshal(document(70))
	require.NoError(t, err)
	var stored map[string]any
	require.NoError(t, json.Unmarshal(raw, &stored))
	got, err := rev.Explain(context.Background(), "serving.autoscale", stored)
	require.NoError(t, err)
	require.Contains(t, got, "strategies/serving/autoscale.rego:12")
	require.Contains(t, got, `lib/load.rego:3`)
	require.Contains(t, got, `propose = {{"because": ["rps"]`)

	_, err = rev.Explain(context.Background(), "nobody", stored)
	require.ErrorContains(t, err, `there is no strategy "nobody"; the strategies are "serving.autoscale"`)
}

func TestExplainOfAnEndlessStrategyIsCut(t *testing.T) {
	rev := compiled(t, one(`propose contains {"primitive": "p", "reason": "r", "because": []} if count([1 | some i in numbers.range(1, 100000); some j in numbers.range(1, 100000); i + j < 0]) > 0`), Options{})
	got, err := rev.Explain(context.Background(), "x", map[string]any{})
	require.NoError(t, err)
	require.Contains(t, got, "cut after 20000 steps")
}
