package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// childWrites writes forever from many goroutines, and prints a line after each write that
// returned: what it printed must survive a kill.
//
//	n ID      a firing id was returned
//	i IDENT   an intent was written       c IDENT  and concluded
//	e ID      an event was posted, to an inbox and to the outbox
//	f ID      a firing that handled the event of its name was recorded, with an approval and an event about it
//	s ID      the event's delivery was settled
func childWrites(dir string) error {
	ctx := context.Background()
	fmt.Println("start")
	j, err := Open(ctx, dir, unbounded)
	if err != nil {
		return err
	}
	errs := make(chan error)
	for range 6 {
		go func() {
			for {
				if err := writeOnce(ctx, j); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	return <-errs
}

func writeOnce(ctx context.Context, j *Journal) error {
	id, err := j.NextFiring(ctx)
	if err != nil {
		return err
	}
	fmt.Println("n", id)
	const agent = "mlperf/planner"
	e := engine.Event{ID: id, Source: "kill", Type: "x"}
	if _, err := j.Enqueue(ctx, postings([]string{agent}, []engine.Destination{peer}, e)); err != nil {
		return err
	}
	fmt.Println("e", id)
	f := firingOf(id, time.Now(), 2)
	f.Trigger.Event = &e
	f.Approvals = []engine.ApprovalChange{{Approval: approval(id)}}
	f.Envelopes = postings([]string{"mlperf/notified"}, nil, engine.Event{ID: id, Source: "notice", Type: "x"})
	for i, d := range f.Decisions {
		in := intent(d.Identity, i)
		in.Firing = id
		if err := j.Intend(ctx, in); err != nil {
			return err
		}
		fmt.Println("i", in.Identity)
	}
	if err := j.RecordFiring(ctx, f); err != nil {
		return err
	}
	fmt.Println("f", id)
	if err := settleOnce(ctx, j, id); err != nil {
		return err
	}
	fmt.Println("s", id)
	c := engine.Conclusion{Identity: f.Decisions[0].Identity, Outcome: engine.Outcome{Status: engine.Done}, At: time.Now()}
	if err := j.Conclude(ctx, c); err != nil {
		return err
	}
	fmt.Println("c", c.Identity)
	return nil
}

// settleOnce settles one delivery that Outbox returns.
func settleOnce(ctx context.Context, j *Journal, id string) error {
	waiting, err := j.Outbox(ctx, -1)
	if err != nil {
		return err
	}
	for _, d := range waiting {
		if d.Event.ID == id {
			return j.Ack(ctx, []engine.Ack{{ID: d.ID, State: engine.Delivered, At: time.Now()}})
		}
	}
	return fmt.Errorf("the delivery of %s does not wait", id)
}

// unbounded keeps everything.
var unbounded = Options{MaxBytes: 1 << 40, MaxAge: 1 << 62, InboxMost: 1 << 30, OutboxMost: 1 << 30}

// acks are the writes that the children printed, over all kills.
type acks struct {
	mu  sync.Mutex
	ids map[string]bool
	got map[string]map[string]bool // letter -> names
}

func (a *acks) add(line string) error {
	letter, name, ok := strings.Cut(line, " ")
	if !ok {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if letter == "n" {
		if a.ids[name] {
			return fmt.Errorf("firing id %s was given out twice", name)
		}
		a.ids[name] = true
		return nil
	}
	if a.got[letter] == nil {
		a.got[letter] = map[string]bool{}
	}
	a.got[letter][name] = true
	return nil
}

// TestKilled repeatedly kills a writing process, each time after another number of lines, and
// verifies the journal.
func TestKilled(t *testing.T) {
	t.Parallel()
	kills := 20
	if os.Getenv("SCANFLOW_SOAK") != "" {
		kills = 500
	}
	const seed = 42
	random := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	all := &acks{ids: map[string]bool{}, got: map[string]map[string]bool{}}
	for i := range kills {
		if i%10 == 9 {
			dir = t.TempDir() // a start is killed too, now and then a first one
			all.got = map[string]map[string]bool{}
		}
		lines := random.IntN(250)
		if i%5 == 4 {
			lines = 1 + random.IntN(3)
		}
		killAfter(t, dir, lines, all)
		verify(t, dir, all)
	}
	t.Logf("%d kills, %d firing ids, seed %d", kills, len(all.ids), seed)
}

func killAfter(t *testing.T, dir string, lines int, all *acks) {
	cmd := child(t, "write", dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	scan := bufio.NewScanner(out)
	for n := 0; scan.Scan(); n++ {
		if n == lines {
			require.NoError(t, cmd.Process.Kill())
		}
		require.NoError(t, all.add(scan.Text()))
	}
	require.NoError(t, scan.Err())
	require.ErrorContains(t, cmd.Wait(), "killed", "it ended by itself")
}

func verify(t *testing.T, dir string, all *acks) {
	ctx := t.Context()
	j, err := Open(ctx, dir, unbounded)
	require.NoError(t, err)
	r := reader(t, j)
	var sound string
	require.NoError(t, r.db.QueryRowContext(ctx, `PRAGMA integrity_check`).Scan(&sound))
	require.Equal(t, "ok", sound)

	memory, err := j.Remember(ctx, "mlperf/planner", time.Time{})
	require.NoError(t, err)
	acts := map[string]engine.Status{}
	for _, a := range memory.Acts {
		acts[a.Identity] = a.Outcome.Status
	}
	for identity := range all.got["i"] {
		require.Contains(t, acts, identity, "an intent was lost")
	}
	for identity := range all.got["c"] {
		require.Equal(t, engine.Done, acts[identity], "a conclusion was lost")
	}
	waiting := map[string]bool{}
	events, err := j.Inbox(ctx, "mlperf/planner", -1)
	require.NoError(t, err)
	for _, e := range events {
		waiting[e.ID] = true
	}
	firings := map[string]bool{}
	records, err := r.Firings(ctx, Filter{})
	require.NoError(t, err)
	for _, f := range records {
		firings[f.ID] = true
		require.Equal(t, 2, f.Admitted)
		require.False(t, waiting[f.ID], "a firing was written without its event")
	}
	for id := range all.got["f"] {
		require.True(t, firings[id], "a firing was lost")
	}
	for id := range all.got["e"] {
		require.True(t, waiting[id] || firings[id], "an event was lost")
	}
	require.EqualValues(t, 2*len(firings), rows(t, j)["decisions"], "a firing is written whole or not at all")
	require.EqualValues(t, len(firings), rows(t, j)["approvals"], "with what it asks")
	notices, err := j.Inbox(ctx, "mlperf/notified", -1)
	require.NoError(t, err)
	require.Len(t, notices, len(firings), "and what it says")
	verifyOutbox(t, j, all, waiting, firings)
	orphans, err := j.queryInt(ctx, `SELECT count(*) FROM decisions WHERE document NOT IN (SELECT id FROM documents)`)
	require.NoError(t, err)
	require.Zero(t, orphans)
	next, err := j.NextFiring(ctx)
	require.NoError(t, err)
	require.NoError(t, all.add("n "+next))
	require.NoError(t, errors.Join(j.Close()))
}

// verifyOutbox verifies that each event of the inbox has its delivery, and that settled ones do
// not wait.
func verifyOutbox(t *testing.T, j *Journal, all *acks, waiting, firings map[string]bool) {
	ctx := t.Context()
	require.Equal(t, rows(t, j)["outbox"], int64(len(waiting)+len(firings)), "an event is in all its boxes or in none")
	deliveries, err := j.Outbox(ctx, -1)
	require.NoError(t, err)
	for _, d := range deliveries {
		require.True(t, waiting[d.Event.ID] || firings[d.Event.ID])
		require.False(t, all.got["s"][d.Event.ID], "what was settled waits again")
	}
	for id := range all.got["e"] {
		fresh, err := j.Enqueue(ctx, postings([]string{"mlperf/planner"}, []engine.Destination{peer}, engine.Event{ID: id, Source: "kill", Type: "x"}))
		require.NoError(t, err)
		require.Zero(t, fresh, "a redelivery was taken twice")
	}
	again, err := j.Outbox(ctx, -1)
	require.NoError(t, err)
	require.Len(t, again, len(deliveries))
	soundCounts(t, j)
}
