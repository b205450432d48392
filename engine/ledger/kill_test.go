package ledger

import (
	"bufio"
	"context"
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
	"github.com/scanflow-k8s/scanflow/engine/kube"
)

// killed are the options of a log that compacts all the time.
func killed(client *kube.Client, namespace string) Options {
	return Options{Client: client, Namespace: namespace, Name: "killed-0", SegmentBytes: 2048, CompactAfter: 2, Gather: 10 * time.Millisecond, Clock: engine.WallClock{}}
}

// childWrites writes for ever from many goroutines, and prints a line for each write
// once it returned:
//
//	e ID   an event came in     f ID   a firing that handled it, with the intents ID-0, ID-1
//	c ID   the first of them was concluded, which may be lost
func childWrites(kubeconfig, namespace, dir string) error {
	ctx := context.Background()
	client, err := kube.New(kube.Options{Kubeconfig: kubeconfig})
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
	if _, err := l.Enqueue(ctx, agent, e); err != nil {
		return err
	}
	fmt.Println("e", id)
	f := firing(id, id+"-0", id+"-1")
	f.At, f.Trigger.Event = time.Now(), &e
	for i := range f.Intents {
		f.Intents[i].At, f.Intents[i].Firing = f.At, id
	}
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
	acknowledged := map[string][]string{}
	for range kills {
		for _, line := range killAfter(t, c.Kubeconfig(), namespace, 1+random.IntN(300)) {
			if letter, id, ok := strings.Cut(line, " "); ok {
				acknowledged[letter] = append(acknowledged[letter], id)
			}
		}
		o := killed(c.Client(), namespace)
		o.Clock = engine.WallClock{}
		l := begin(t, o)
		p := look(t, l)
		for _, id := range acknowledged["f"] {
			require.Contains(t, p.Acts, id+"-0", "an intent was lost")
			require.Contains(t, p.Acts, id+"-1", "an intent was lost")
			require.Contains(t, p.Open, id+"-1", "an open intent was lost")
			require.NotContains(t, p.Inbox, id, "an event would be handled twice")
		}
		for _, id := range acknowledged["e"] {
			_, whole := p.Acts[id+"-0"]
			require.True(t, whole || slices.Contains(p.Inbox, id), "an event was lost")
		}
		for id := range p.Acts {
			_, whole := p.Acts[strings.TrimSuffix(id, "-0")+"-1"]
			require.True(t, whole || strings.HasSuffix(id, "-1"), "a firing is there by half")
		}
		listed := l.head.spec.Segments
		names, err := l.store.segments(t.Context(), o.Name)
		require.NoError(t, err)
		require.ElementsMatch(t, listed, names, "litter stayed behind")
		crash(l)
	}
	t.Logf("%d kills, %d firings acknowledged", kills, len(acknowledged["f"]))
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
