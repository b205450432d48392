package journal

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzDecisionID asks for documents by any text: a clear error, or the one that is there.
func FuzzDecisionID(f *testing.F) {
	for _, id := range []string{"f-0/0", "f-0/1", "f-0", "/", "f-0/-1", "f-0/18446744073709551615", "'; DROP TABLE acts; --/0", "f-0/0\x00"} {
		f.Add(id)
	}
	j := open(f, f.TempDir(), Options{})
	require.NoError(f, j.RecordFiring(context.Background(), firingOf("f-0", day, 1)))
	r := reader(f, j)
	f.Fuzz(func(t *testing.T, id string) {
		doc, err := r.Document(t.Context(), id)
		if err == nil {
			require.JSONEq(t, string(document("f-0", 0)), string(doc))
		}
		var known *FaultError
		require.False(t, errors.As(err, &known), "%v", err)
		_, err = r.Decisions(t.Context(), Filter{Target: id, Strategy: id, Agent: id})
		require.NoError(t, err)
	})
}

// FuzzPack packs any bytes and gets them back, and survives the unpacking of what
// never was packed.
func FuzzPack(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte(`{"a":1}`))
	f.Add([]byte{0x1f, 0x8b, 8, 0})
	j := &Journal{}
	f.Fuzz(func(t *testing.T, raw []byte) {
		packed, err := j.pack(raw)
		require.NoError(t, err)
		got, err := unpack(packed)
		require.NoError(t, err)
		require.True(t, bytes.Equal(raw, got))
		if got, err := unpack(raw); err != nil {
			require.Nil(t, got)
		}
	})
}
