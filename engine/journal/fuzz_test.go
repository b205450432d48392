package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// FuzzDecisionID queries documents, decisions and approvals by any id: the result is the right
// one or a clear error.
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
		_, err = j.Approval(t.Context(), id)
		require.ErrorIs(t, err, engine.ErrNoApproval)
	})
}

// FuzzQueueItemID parses any id: a valid one yields its number, and every number is parsed back
// with the prefix of its own queue only.
func FuzzQueueItemID(f *testing.F) {
	for _, id := range []string{"in-1", "out-17", "in-", "out-0", "in--1", "in-+1", "out-18446744073709551615", "in-9223372036854775808", "in-007", "in-1\x00", "in-1 "} {
		f.Add(id, int64(len(id)))
	}
	f.Fuzz(func(t *testing.T, id string, n int64) {
		for prefix, other := range map[string]string{inboxPrefix: outboxPrefix, outboxPrefix: inboxPrefix} {
			if seq, ok := parseQueueItemID(prefix, id); ok {
				require.Positive(t, seq)
				require.Equal(t, queueItemID(prefix, seq), prefix+strings.TrimLeft(id[len(prefix):], "0"))
			}
			seq, ok := parseQueueItemID(prefix, queueItemID(prefix, n))
			require.Equal(t, n > 0, ok)
			if ok {
				require.Equal(t, n, seq)
			}
			_, ok = parseQueueItemID(other, queueItemID(prefix, n))
			require.False(t, ok)
		}
	})
}

// FuzzCompress compresses and decompresses any bytes, and decompresses bytes that were not
// compressed without a panic.
func FuzzCompress(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte(`{"a":1}`))
	f.Add([]byte{0x1f, 0x8b, 8, 0})
	j := &Journal{}
	f.Fuzz(func(t *testing.T, raw []byte) {
		packed, err := j.compress(raw)
		require.NoError(t, err)
		got, err := decompress(packed)
		require.NoError(t, err)
		require.True(t, bytes.Equal(raw, got))
		if got, err := decompress(raw); err != nil {
			require.Nil(t, got)
		}
	})
}

// FuzzRow reads rows with any body, as in a damaged or foreign file: every query ends with a
// result or an error, and succeeds after the row is repaired.
func FuzzRow(f *testing.F) {
	for _, body := range []string{
		`{}`, `null`, `[]`, ``, `{`, `"x"`, `{"with":{"a":1e100000}}`, `{"change":null}`, `{"with":` + strings.Repeat(`{"a":`, 9000) + `1` + strings.Repeat(`}`, 9000) + `}`, "{\"a\":\"\xff\x00\"}",
		`{"expires":"9999-12-31T23:59:59Z","asked":"x"}`, `{"id":1}`, `{"id":"q","state":[]}`, `{"took":1e400}`, `{"signals":[null],"problems":null}`, `{"because":[{}],"outcome":{}}`, `{"time":"0000-01-01T00:00:00+23:59"}`,
	} {
		f.Add([]byte(body), int64(0), "done")
		f.Add([]byte(body), int64(-1<<63), "\xff")
	}
	f.Fuzz(func(t *testing.T, body []byte, at int64, status string) {
		j := open(t, t.TempDir(), Options{})
		ctx := t.Context()
		require.NoError(t, j.RecordFiring(ctx, firingOf("f-0", day, 1)))
		require.NoError(t, j.SaveApproval(ctx, engine.ApprovalChange{Approval: engine.Approval{ID: "q", Agent: "ns/a", State: engine.ApprovalWaiting}}))
		_, err := j.Enqueue(ctx, []engine.Envelope{{Event: engine.Event{ID: "e", Source: "s", Type: "t"}, Agents: []string{"ns/a"}, To: []engine.Destination{{URL: "http://x"}}}})
		require.NoError(t, err)
		set := func(body []byte, at int64) error {
			return j.writer.do(ctx, func(ctx context.Context, s *store) error {
				return errors.Join(
					s.exec(ctx, `INSERT OR REPLACE INTO acts (seq, identity, agent, namespace, name, kind, strategy, verb, at, body, status, ended) VALUES (1, 'i', 'ns/a', 'ns', 'x', 'k', 's', 'v', ?, ?, ?, ?)`, at, body, status, at),
					s.exec(ctx, `INSERT OR REPLACE INTO acts (seq, identity, agent, namespace, name, kind, strategy, verb, at, body) VALUES (2, 'j', 'ns/a', 'ns', 'x', 'k', 's', 'v', ?, ?)`, at, body),
					s.exec(ctx, `INSERT OR REPLACE INTO notes VALUES ('ns/a', 'ns', 'x', 'k', 's', ?)`, body),
					s.exec(ctx, `INSERT OR REPLACE INTO readings VALUES ('ns/a', ?)`, body),
					s.exec(ctx, `UPDATE approvals SET body = ?`, body), s.exec(ctx, `UPDATE inbox SET body = ?, since = ?`, body, at), s.exec(ctx, `UPDATE outbox SET body = ?, since = ?`, body, at),
					s.exec(ctx, `UPDATE firings SET body = ?, at = ?`, body, at), s.exec(ctx, `UPDATE decisions SET body = ?`, body), s.exec(ctx, `UPDATE documents SET body = ?`, body),
				)
			})
		}
		require.NoError(t, set(body, at))
		ask := func() error {
			r, err := j.Reader()
			require.NoError(t, err)
			return errors.Join(
				second(j.Open(ctx, "ns/a")), second(j.Remember(ctx, "ns/a", day)), second(j.Approvals(ctx, "", day)), second(j.Approval(ctx, "q")), second(j.ApprovalsWaiting(ctx, day)),
				second(j.Inbox(ctx, "ns/a", -1)), second(j.Outbox(ctx, -1)), second(j.Messages(ctx, "", -1)), second(j.Depths(ctx)),
				second(r.Decisions(ctx, Filter{})), second(r.Firings(ctx, Filter{})), second(r.Stats(ctx)),
			)
		}
		if err := ask(); err == nil {
			require.True(t, json.Valid(body), "what is no JSON was read")
		}
		_, _ = j.LoadReadings(ctx, "ns/a")
		require.NoError(t, j.Prune(ctx))
		require.NoError(t, j.Health(), "one row is not the whole file")
		require.NoError(t, set([]byte(`{}`), 1))
		require.NoError(t, ask())
	})
}

// second returns the error of a result.
func second[T any](_ T, err error) error { return err }
