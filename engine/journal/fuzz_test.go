package journal

import (
	"bytes"
	"context"
	"errors"
	"strings"
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

// FuzzLetterID reads ids as persons type them: one that is read names its number and no
// other, and every number is read back in its own box alone.
func FuzzLetterID(f *testing.F) {
	for _, id := range []string{"in-1", "out-17", "in-", "out-0", "in--1", "in-+1", "out-18446744073709551615", "in-9223372036854775808", "in-007", "in-1\x00", "in-1 "} {
		f.Add(id, int64(len(id)))
	}
	f.Fuzz(func(t *testing.T, id string, n int64) {
		for prefix, other := range map[string]string{inPrefix: outPrefix, outPrefix: inPrefix} {
			if seq, ok := letterNumber(prefix, id); ok {
				require.Positive(t, seq)
				require.Equal(t, letterID(prefix, seq), prefix+strings.TrimLeft(id[len(prefix):], "0"))
			}
			seq, ok := letterNumber(prefix, letterID(prefix, n))
			require.Equal(t, n > 0, ok)
			if ok {
				require.Equal(t, n, seq)
			}
			_, ok = letterNumber(other, letterID(prefix, n))
			require.False(t, ok)
		}
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
