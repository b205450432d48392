package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// fickle is a receiver that honours Idempotency-Key, and now and then is away, asks for
// patience, or loses its answer after it has acted.
type fickle struct {
	*httptest.Server
	mu      sync.Mutex
	chance  *rand.Rand
	steady  bool
	effects map[string]int // by key, of those that were acted on
	calls   int
}

func newFickle(t *testing.T) *fickle {
	f := &fickle{chance: rand.New(rand.NewPCG(3, 5)), effects: map[string]int{}} //nolint:gosec // a repeatable test, no secret
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.calls++
		fault := f.chance.IntN(40)
		switch {
		case f.steady:
		case fault == 0:
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case fault == 1:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		if key := r.Header.Get("Idempotency-Key"); f.effects[key] == 0 {
			f.effects[key]++
		}
		if !f.steady && fault == 2 {
			panic(http.ErrAbortHandler) // the receiver has acted, and sends no response
		}
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fickle) count() int { f.mu.Lock(); defer f.mu.Unlock(); return len(f.effects) }

// Events whose acts are equal, and others whose acts are not, a receiver that comes and
// goes, and a daemon that is killed time and again: each event has one effect, under one
// key, and one act with its outcome.
func TestKillWhileCallsWait(t *testing.T) {
	events, kills := 300, 4
	if os.Getenv("SCANFLOW_SOAK") != "" {
		events, kills = 100_000, 250
	}
	s, f := newSite(t), newFickle(t)
	require.NoError(t, os.Remove(s.agents+"/watcher.yaml"))
	s.write("policies/hook.rego", `package scanflow.strategies.t.hook

propose contains {"primitive": "webhook", "with": {"url": input.params.url, "body": body}, "reason": "asked", "because": []} if {
	input.trigger.event.type == "t.hook"
	input.trigger.event.subject == input.target.name
	body := object.get(input.trigger.event.data, "body", "retrain")
}
`)
	s.write("agents/hooker.yaml", fmt.Sprintf(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: hooker, namespace: test}
spec:
  targets: {static: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}, {name: f}, {name: g}, {name: h}]}
  triggers: [{name: asked, event: {type: t.hook, from: [api]}}]
  strategies: [t.hook]
  primitives: [webhook]
  params: {url: %q}
`, f.URL))
	d := startDaemon(t, s.args()...)
	sent := make(chan struct{})
	var mu sync.Mutex
	at := func() string { mu.Lock(); defer mu.Unlock(); return d.url }
	go func() { // a sender that sends again whatever was not answered
		defer close(sent)
		for from := 0; from < events; from += 50 {
			var batch []map[string]any
			for i := from; i < min(from+50, events); i++ {
				e := map[string]any{"specversion": "1.0", "id": fmt.Sprint(i), "source": "/test", "type": "t.hook", "subject": string(rune('a' + i%8)), "data": map[string]any{}}
				if i%16 < 8 {
					e["data"] = map[string]any{"body": i}
				}
				batch = append(batch, e)
			}
			raw, err := json.Marshal(batch)
			if err != nil {
				t.Error(err)
				return
			}
			for {
				resp, err := http.Post(at()+"/v1/events", "application/cloudevents-batch+json", strings.NewReader(string(raw)))
				if err == nil {
					_ = resp.Body.Close()
					if resp.StatusCode == http.StatusAccepted {
						break
					}
				}
				<-time.After(20 * time.Millisecond)
			}
		}
	}()
	for i := range kills {
		require.Eventually(t, func() bool { return f.count() >= events*(i+1)/(kills+2) }, 30*time.Minute, 2*time.Millisecond)
		d.kill()
		next := startDaemon(t, s.args()...)
		mu.Lock()
		d = next
		mu.Unlock()
	}
	<-sent
	f.mu.Lock()
	f.steady = true
	f.mu.Unlock()
	require.Eventually(t, func() bool {
		_, raw := d.get("/v1/events")
		return f.count() >= events && strings.TrimSpace(raw) == "[]"
	}, 30*time.Minute, 100*time.Millisecond)
	d.stop()

	require.Equal(t, events, f.count(), "none lost, and none under two keys")
	r, err := journal.OpenReader(t.Context(), app.JournalDir(s.data))
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	rows, err := r.Decisions(t.Context(), journal.Filter{})
	require.NoError(t, err)
	admitted := map[string]bool{}
	for _, row := range rows {
		require.Equal(t, engine.Admitted, row.Verdict, row.Detail)
		require.Equal(t, engine.Done, row.Outcome.Status, row.Outcome.Detail)
		require.Equal(t, 1, f.effects[row.Identity])
		admitted[row.Identity] = true
	}
	require.Len(t, admitted, events)
	t.Logf("%d events, the daemon killed %d times: %d effects of %d calls", events, kills, f.count(), f.calls)
}
