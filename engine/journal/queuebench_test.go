package journal

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// letter is an event of about 400 bytes, number n of a source.
func letter(source string, n int64) engine.Event {
	return engine.Event{
		ID: fmt.Sprintf("evt-%012d", n), Source: "/agents/digits/" + source, Type: "dev.scanflow.retrain.requested", Subject: "digits/digits", Time: day,
		Data: map[string]any{"model": "digits", "critical": 57.0, "runs": []any{"0a1b2c3d4e5f60718293a4b5c6d7e8f9", "f9e8d7c6b5a493827160f5e4d3c2b1a0"}, "since": "2026-03-01T11:00:00Z"},
		Hops: 2, Sender: "digits/" + source,
	}
}

// BenchmarkPost queues events in an inbox or the outbox: one by one, concurrently with shared
// syncs, and many in a call.
func BenchmarkPost(b *testing.B) {
	for _, c := range []struct{ callers, events int }{{1, 1}, {64, 1}, {1, 100}, {8, 100}} {
		for _, box := range []string{"inbox", "outbox"} {
			b.Run(fmt.Sprintf("%s/%d-callers/%d-events", box, c.callers, c.events), func(b *testing.B) {
				j := open(b, b.TempDir(), Options{InboxMost: 1 << 30, OutboxMost: 1 << 30})
				var n atomic.Int64
				post := func() {
					postings := make([]engine.Envelope, c.events)
					for i := range postings {
						postings[i].Event = letter("tracker", n.Add(1))
						if box == "inbox" {
							postings[i].Agents = []string{"digits/checker"}
						} else {
							postings[i].To = []engine.Destination{{URL: "https://scanflow-1.scanflow.digits.svc:8443/v1/events"}}
						}
					}
					_, err := j.Enqueue(context.Background(), postings)
					require.NoError(b, err)
				}
				b.SetParallelism((c.callers + 1) / 2) // times two cores
				if c.callers == 1 {
					for b.Loop() {
						post()
					}
				} else {
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							post()
						}
					})
				}
				b.ReportMetric(float64(n.Load())/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

// waits fills an outbox: 20 sources that send to 5 destinations.
func waits(b *testing.B, j *Journal, n int) {
	var postings []engine.Envelope
	for i := range n {
		postings = append(postings, engine.Envelope{
			Event: letter(fmt.Sprint("agent-", i%20), int64(i)),
			To:    []engine.Destination{{URL: fmt.Sprintf("https://scanflow-%d.scanflow.digits.svc:8443/v1/events", i/20%5)}},
		})
		if len(postings) == 1000 || i == n-1 {
			_, err := j.Enqueue(context.Background(), postings)
			require.NoError(b, err)
			postings = nil
		}
	}
}

// BenchmarkOutbox reads the next deliveries of 100 lanes.
func BenchmarkOutbox(b *testing.B) {
	for _, c := range []struct{ waiting, limit int }{{0, 100}, {100, 1}, {100_000, 1}, {100_000, 10}, {100_000, 100}} {
		b.Run(fmt.Sprintf("%d-waiting/%d-a-lane", c.waiting, c.limit), func(b *testing.B) {
			j := open(b, b.TempDir(), Options{})
			waits(b, j, c.waiting)
			for b.Loop() {
				got, err := j.Outbox(context.Background(), c.limit)
				require.NoError(b, err)
				require.Len(b, got, min(100*c.limit, c.waiting))
			}
		})
	}
}

// BenchmarkSettle settles 100 of 100,000 waiting deliveries.
func BenchmarkSettle(b *testing.B) {
	const most = 100_000
	for _, state := range []engine.DeliveryState{engine.Delivered, engine.UnwantedThere, engine.Undeliverable} {
		b.Run(string(state), func(b *testing.B) {
			j := open(b, b.TempDir(), Options{OutboxMost: 1 << 30})
			next := []engine.Delivery(nil)
			for b.Loop() {
				b.StopTimer()
				if len(next) < 100 {
					waits(b, j, most)
					var err error
					next, err = j.Outbox(context.Background(), most/200)
					require.NoError(b, err)
				}
				settled := make([]engine.Ack, 100)
				for i, d := range next[:100] {
					settled[i] = engine.Ack{ID: d.ID, State: state, At: day}
				}
				next = next[100:]
				b.StartTimer()
				require.NoError(b, j.Ack(context.Background(), settled))
			}
		})
	}
}
