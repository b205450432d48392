package jsonvalue_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// wholes are whole numbers as they are written; those that no float64 holds stay what they are.
var wholes = map[string]bool{ // whether a float64 holds it
	"0": true, "-1": true, "9007199254740991": true, "9007199254740992": true, "1e21": true, "1e23": true, "1.7976931348623157e308": true, "123456789012345680000": true,
	"9007199254740993": false, "-9007199254740993": false, "18446744073709551615": false, "18446744073709551616": false, "18446744073709551617": false,
	"9.007199254740993e15": false, "90071992547409930e-1": false, "100000000000000000000001": false,
}

func TestExact(t *testing.T) {
	for text, held := range wholes {
		got := jsonvalue.Exact(json.Number(text))
		_, is := got.(float64)
		require.Equal(t, held, is, "%s: %v", text, got)
		near, ok := jsonvalue.Float(got)
		require.True(t, ok)
		f, err := json.Number(text).Float64()
		require.NoError(t, err)
		require.Equal(t, f, near)
	}
	require.Equal(t, 0.5, jsonvalue.Exact("0.5"))
	require.Equal(t, 9007199254740993.5, jsonvalue.Exact("9007199254740993.5"), "no whole number, and as near as can be")
	require.Equal(t, json.Number("1e400"), jsonvalue.Exact("1e400"))
}

func TestUnmarshal(t *testing.T) {
	type inner struct {
		Any  any
		Held json.Number
	}
	var got struct {
		With  map[string]any
		List  []inner
		By    map[string]inner
		To    *inner
		Count int64
	}
	const number = "9007199254740993"
	raw := `{"With":{"a":` + number + `,"b":[1,{"c":` + number + `}]},"List":[{"Any":` + number + `}],"By":{"x":{"Any":[` + number + `,2]}},"To":{"Any":1,"Held":` + number + `},"Count":` + number + `}`
	require.NoError(t, jsonvalue.Unmarshal([]byte(raw), &got))
	n := json.Number(number)
	require.Equal(t, map[string]any{"a": n, "b": []any{1.0, map[string]any{"c": n}}}, got.With)
	require.Equal(t, n, got.List[0].Any)
	require.Equal(t, []any{n, 2.0}, got.By["x"].Any)
	require.Equal(t, inner{1.0, n}, *got.To)
	require.EqualValues(t, 9007199254740993, got.Count)
	require.Error(t, jsonvalue.Unmarshal([]byte(`1 2`), new(any)))
	require.Error(t, jsonvalue.Unmarshal([]byte(`{`), new(any)))
}
