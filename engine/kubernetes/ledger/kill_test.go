package ledger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// killed are the options of a log that compacts all the time.
func killed(client *apiclient.Client, namespace string) Options {
	return Options{Client: client, Namespace: namespace, Name: "killed-0", SegmentBytes: 2048, CompactAfter: 2, Gather: 10 * time.Millisecond, OutboxMost: 1_000_000, Clock: engine.WallClock{}}
}

// childWrites writes for ever from many goroutines, and prints a line for each write
// once it returned:
//
//	e ID   an event came in, and waits for https://a
//	f ID   a firing handled it, with the intents ID-0 and ID-1, asked for ID, and posted a notice
//	c ID   the first of them was concluded, which may be lost
//	s ID   from now on the delivery may be settled
//	r ID   the notice died, and was sent again
//	P ID   from now on it may be approved     p ID   it is
//	U ID   from now on that may be used       u ID   a firing used it
func childWrites(kubeconfig, namespace, dir string) error {
	ctx := context.Background()
	client, err := apiclient.New(apiclient.Options{Kubeconfig: kubeconfig})
	if err != nil {
		return err
	}
	o := killed(client, namespace)
	h, err := journal.Open(ctx, dir, journal.Options{})
	if err != nil {
		return err
	}
	o.History = h
	fmt.Println("start")
	l, err := Open(ctx, o)
	if err != nil {
		return err
	}
	errs := make(chan error)
	for range 6 {
		go func() {
			for {
				if err := writeOnce(ctx, l); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	return <-errs
}

func writeOnce(ctx context.Context, l *Ledger) error {
	id, err := l.NextFiring(ctx)
	if err != nil {
		return err
	}
	e := engine.Event{ID: id, Source: "kill", Type: "x"}
	if _, err := l.Enqueue(ctx, []engine.Envelope{{Event: e, Agents: []string{agent}, To: to("https://a")}}); err != nil {
		return err
	}
	fmt.Println("e", id)
	f := firing(id, id+"-0", id+"-1")
	f.At, f.Trigger.Event = time.Now(), &e
	for i := range f.Intents {
		f.Intents[i].At, f.Intents[i].Firing = f.At, id
	}
	f.Approvals = []engine.ApprovalChange{asking("", waiting, id)}
	f.Envelopes = []engine.Envelope{{Event: notice(id), To: to("https://n")}}
	if err := l.RecordFiring(ctx, f); err != nil {
		return err
	}
	fmt.Println("f", id)
	c := done(id + "-0")
	c.At = time.Now()
	if err := l.Conclude(ctx, c); err != nil {
		return err
	}
	fmt.Println("c", id)
	return errors.Join(writeMail(ctx, l, e, id), writeApproval(ctx, l, id))
}

func notice(id string) engine.Event { return engine.Event{ID: "n-" + id, Source: "kill", Type: "x"} }

func killKey(url, id string) *eventKey {
	return &eventKey{Agent: agent, URL: url, Source: "kill", ID: id}
}

func writeMail(ctx context.Context, l *Ledger, e engine.Event, id string) error {
	fmt.Println("s", id)
	dead := killKey("https://n", notice(id).ID).messageID()
	if err := l.Ack(ctx, []engine.Ack{
		{ID: killKey("https://a", e.ID).messageID(), State: engine.Delivered, At: time.Now()},
		{ID: dead, State: engine.Undeliverable, At: time.Now()},
	}); err != nil {
		return err
	}
	found, err := l.Redeliver(ctx, []string{dead})
	if err != nil || len(found) != 1 {
		return errors.Join(err, fmt.Errorf("the dead letter was not found"))
	}
	fmt.Println("r", id)
	return nil
}

func asking(from, state engine.ApprovalState, id string) engine.ApprovalChange {
	a := engine.Approval{ID: id, Agent: agent, Asked: time.Now(), State: state}
	if state.Ended() {
		a.Ended = time.Now()
	}
	return engine.ApprovalChange{Approval: a, From: from}
}

func writeApproval(ctx context.Context, l *Ledger, id string) error {
	fmt.Println("P", id)
	if err := l.SaveApproval(ctx, asking(waiting, approved, id)); err != nil {
		return err
	}
	fmt.Println("p", id)
	fmt.Println("U", id)
	f := firing(id+"-used", id+"-2")
	f.Intents[0].At, f.Approvals = time.Now(), []engine.ApprovalChange{asking(approved, used, id)}
	if err := l.RecordFiring(ctx, f); err != nil {
		return err
	}
	fmt.Println("u", id)
	return nil
}

// TestKilled kills a writing process again and again, and looks at what it left.
func TestKilled(t *testing.T) {
	kills := 12
	if os.Getenv("SCANFLOW_SOAK") != "" {
		kills = 200
	}
	c := shared(t)
	namespace := c.Namespace(t)
	random := rand.New(rand.NewPCG(42, 0))
	said := map[string]map[string]bool{}
	for range kills {
		for _, line := range killAfter(t, c.Kubeconfig(), namespace, 1+random.IntN(500)) {
			if message, id, ok := strings.Cut(line, " "); ok {
				if said[message] == nil {
					said[message] = map[string]bool{}
				}
				said[message][id] = true
			}
		}
		o := killed(c.Client(), namespace)
		o.Clock = engine.WallClock{}
		l := begin(t, o)
		p := look(t, l)
		for id := range said["f"] {
			require.Contains(t, p.Acts, id+"-0", "an intent was lost")
			require.Contains(t, p.Acts, id+"-1", "an intent was lost")
			require.Contains(t, p.Open, id+"-1", "an open intent was lost")
			require.NotContains(t, p.Inbox, id, "an event would be handled twice")
		}
		for id := range said["e"] {
			_, whole := p.Acts[id+"-0"]
			require.True(t, whole || slices.Contains(p.Inbox, id), "an event was lost")
		}
		for id := range p.Acts {
			if firing, first := strings.CutSuffix(id, "-0"); first {
				require.Contains(t, p.Acts, firing+"-1", "a firing is there by half")
			}
		}
		checkMailAfterKill(t, l, said)
		checkApprovalsAfterKill(t, l, p, said)
		listed := l.head.spec.Segments
		names, err := l.store.segments(t.Context(), o.Name)
		require.NoError(t, err)
		require.ElementsMatch(t, listed, names, "litter stayed behind")
		crash(l)
	}
	t.Logf("%d kills, %d firings acknowledged", kills, len(said["f"]))
}

func checkMailAfterKill(t *testing.T, l *Ledger, said map[string]map[string]bool) {
	t.Helper()
	outbox := deliveries(t, l)
	for id := range said["e"] {
		require.True(t, l.state.queues.known(*killKey("https://a", id)), "a delivery was forgotten")
		if !said["s"][id] {
			require.Contains(t, outbox, "https://a "+id, "a delivery was lost")
		}
	}
	for id := range said["f"] {
		n := l.state.queues.messages[*killKey("https://n", notice(id).ID)]
		require.NotNil(t, n, "a notice was lost")
		require.NotNil(t, n.event, "a notice was lost")
		if said["r"][id] {
			require.Equal(t, fateWaiting, n.fate, "a letter that was sent again is dead")
		}
	}
}

func checkApprovalsAfterKill(t *testing.T, l *Ledger, p picture, said map[string]map[string]bool) {
	t.Helper()
	is := map[string]engine.ApprovalState{}
	for _, a := range leaf(t, l).Approvals {
		is[a.ID] = a.State
		require.Contains(t, p.Acts, a.ID+"-0", "a firing is there by half")
		require.True(t, l.state.queues.known(*killKey("https://n", notice(a.ID).ID)), "a firing is there by half")
		_, acted := p.Acts[a.ID+"-2"]
		require.Equal(t, acted, a.State == used, "an approval and its act")
	}
	for id := range said["f"] {
		switch {
		case said["u"][id]:
			require.Equal(t, used, is[id])
		case said["p"][id]:
			require.Contains(t, []engine.ApprovalState{approved, used}, is[id])
			require.True(t, is[id] == approved || said["U"][id])
		default:
			require.Contains(t, []engine.ApprovalState{waiting, approved}, is[id])
			require.True(t, is[id] == waiting || said["P"][id])
		}
	}
}

func killAfter(t *testing.T, kubeconfig, namespace string, lines int) (said []string) {
	binary, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), binary, kubeconfig, namespace, t.TempDir())
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	scan := bufio.NewScanner(out)
	for n := 0; scan.Scan(); n++ {
		if n == lines {
			require.NoError(t, cmd.Process.Kill())
		}
		said = append(said, scan.Text())
	}
	require.NoError(t, scan.Err())
	require.ErrorContains(t, cmd.Wait(), "killed", "it ended by itself")
	return said
}
