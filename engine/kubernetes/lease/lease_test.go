package lease

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// slack is added to the lease's own times for a busy machine.
const slack = time.Second

// TestTheLeaderIsKilled: the other takes over once the lease ran out, and not before.
func TestTheLeaderIsKilled(t *testing.T) {
	c := testcluster.Shared(t)
	binary, err := os.Executable()
	require.NoError(t, err)
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			namespace := c.Namespace(t)
			child := exec.CommandContext(t.Context(), binary, c.Kubeconfig(), namespace)
			child.Env = append(os.Environ(), childEnv+"=1")
			child.Stderr = os.Stderr
			out, err := child.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, child.Start())
			scan := bufio.NewScanner(out)
			require.True(t, scan.Scan())
			require.Equal(t, "leads", scan.Text())

			o := fast(c.Client(), namespace, "parent")
			r := run(t, o, false)
			select {
			case <-r.leads:
				require.FailNow(t, "two lead")
			case <-time.After(2 * time.Second): // longer than the lease
			}
			require.NoError(t, child.Process.Kill())
			require.ErrorContains(t, child.Wait(), "killed")
			killed := time.Now()
			renewed := read(t, leases(t, c, namespace)).Spec.RenewTime.Time
			leads := r.wait(t)
			require.NoError(t, leads.fence())
			require.GreaterOrEqual(t, leads.at.Sub(renewed), time.Second, "the lease had not run out")
			require.LessOrEqual(t, leads.at.Sub(killed), time.Second+2*o.Retry+slack)
			t.Logf("took over %s after the kill", leads.at.Sub(killed))
		})
	}
}

// TestAShutdownGivesTheLeaseUp: once lead has returned, and not before, another
// leads at once, however long the lease.
func TestAShutdownGivesTheLeaseUp(t *testing.T) {
	c := testcluster.Shared(t)
	o := fast(c.Client(), c.Namespace(t), "first")
	o.Duration, o.Renew = 60*time.Second, 40*time.Second
	free := func() bool {
		free, err := GivenUp(t.Context(), o.Client, o.Namespace, o.Name)
		require.NoError(t, err)
		return free
	}
	require.True(t, free(), "it was never there")
	first := run(t, o, true)
	leads := first.wait(t)
	require.False(t, free())
	o.Identity = "second"
	second := run(t, o, false)

	first.stop()
	<-leads.ctx.Done()
	require.NoError(t, leads.fence(), "it may write while it winds up")
	select {
	case <-second.leads:
		require.FailNow(t, "another leads before the first has ended")
	case <-time.After(5 * o.Retry):
	}
	close(first.wound)
	start := time.Now()
	require.NoError(t, second.wait(t).fence())
	require.ErrorIs(t, leads.fence(), ErrLost)
	require.Less(t, time.Since(start), 2*o.Retry+slack)
	first.end(t)
	require.False(t, free(), "another has it")
	second.end(t)
	require.Eventually(t, free, 10*time.Second, 10*time.Millisecond)
}

// TestTheAPIServerStops: the fence closes before the lease runs out, and with it
// every write.
func TestTheAPIServerStops(t *testing.T) {
	c := testcluster.New(t)
	client := c.Client()
	namespace := c.Namespace(t)
	o := fast(client, namespace, "first")
	o.Duration, o.Renew = 3*time.Second, 2*time.Second
	r := run(t, o, false)
	leads := r.wait(t)
	fenced, err := client.Fenced(leads.fence)
	require.NoError(t, err)
	configMaps := fenced.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(namespace)
	write := func(name string) error {
		_, err := configMaps.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name},
		}}, metav1.CreateOptions{})
		return err
	}
	require.NoError(t, write("before"))

	c.StopAPIServer(t)
	require.Eventually(t, func() bool { return leads.fence() != nil }, 10*time.Second, time.Millisecond)
	closed := time.Now()
	<-leads.ctx.Done()
	require.ErrorIs(t, write("after"), apiclient.ErrDeposed)
	c.StartAPIServer(t)
	// The Lease still names the last holder, unless it has been acquired again by now.
	again := r.wait(t)
	require.NoError(t, again.fence())
	require.ErrorIs(t, leads.fence(), ErrLost, "an old fence never opens again")
	require.Less(t, closed.Sub(leads.at), 10*time.Second)
	_, err = configMaps.Get(t.Context(), "after", metav1.GetOptions{})
	require.Error(t, err)
	require.ErrorIs(t, write("after"), apiclient.ErrDeposed)
}

// TestTheFenceClosesBeforeTheLeaseRunsOut compares it with the Lease itself.
func TestTheFenceClosesBeforeTheLeaseRunsOut(t *testing.T) {
	c := testcluster.Shared(t)
	client, cut := connect(t, c)
	namespace := c.Namespace(t)
	o := fast(client, namespace, "first")
	r := run(t, o, false)
	leads := r.wait(t)
	o.Client, o.Identity = c.Client(), "second"
	second := run(t, o, false)
	cut.Store(true)
	require.Eventually(t, func() bool { return leads.fence() != nil }, 5*time.Second, time.Millisecond)
	closed := time.Now()
	lease := read(t, leases(t, c, namespace))
	require.Contains(t, *lease.Spec.HolderIdentity, "first")
	require.EqualValues(t, 1, *lease.Spec.LeaseDurationSeconds, "rounded up")
	require.Less(t, closed.Sub(lease.Spec.RenewTime.Time), time.Second)
	taken := second.wait(t)
	require.GreaterOrEqual(t, taken.at.Sub(closed), time.Duration(0))
	cut.Store(false)
	require.ErrorIs(t, leads.fence(), ErrLost)
	r.end(t)
	require.Contains(t, *read(t, leases(t, c, namespace)).Spec.HolderIdentity, "second", "the first gave up what was not its own")
	require.NoError(t, taken.fence())
}

// TestSomebodyElseTakesIt has a person write another holder, and delete the lease.
func TestSomebodyElseTakesIt(t *testing.T) {
	c := testcluster.Shared(t)
	for name, meddle := range map[string]func(ctx context.Context, namespace string) error{
		"written": func(ctx context.Context, namespace string) error {
			l := read(t, leases(t, c, namespace))
			thief := "thief"
			l.Spec.HolderIdentity = &thief
			_, err := leases(t, c, namespace).Update(ctx, l, metav1.UpdateOptions{})
			return err
		},
		"deleted": func(ctx context.Context, namespace string) error {
			return leases(t, c, namespace).Delete(ctx, "planner", metav1.DeleteOptions{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := c.Namespace(t)
			r := run(t, fast(c.Client(), namespace, "first"), false)
			leads := r.wait(t)
			require.Eventually(t, func() bool { return meddle(t.Context(), namespace) == nil }, 5*time.Second, time.Millisecond)
			<-leads.ctx.Done()
			require.ErrorIs(t, leads.fence(), ErrLost)
			require.NoError(t, r.wait(t).fence(), "it campaigns again")
		})
	}
}

// TestNeverTwo has candidates whose connections come and go, and watches their fences.
func TestNeverTwo(t *testing.T) {
	c := testcluster.Shared(t)
	namespace := c.Namespace(t)
	var candidates []*running
	var cuts []func(bool)
	for i := range 3 {
		client, cut := connect(t, c)
		candidates = append(candidates, run(t, fast(client, namespace, fmt.Sprint("c", i)), false))
		cuts = append(cuts, cut.Store)
	}
	var fences []func() error
	terms, open := 0, false
	for end, cutAt, down := time.Now().Add(8*time.Second), time.Now().Add(time.Second), 0; time.Now().Before(end); {
		for _, r := range candidates {
			select {
			case leads := <-r.leads:
				fences = append(fences, leads.fence)
				terms++
			default:
			}
		}
		for i, one := range fences {
			for _, other := range fences[:i] {
				// Open before and after the look at the other, and so at that moment too.
				require.False(t, one() == nil && other() == nil && one() == nil, "two fences are open")
			}
			open = open || one() == nil
		}
		if time.Now().After(cutAt) {
			cuts[down%3](false)
			down++
			cuts[down%3](true)
			cutAt = time.Now().Add(700 * time.Millisecond)
		}
	}
	for _, cut := range cuts {
		cut(false)
	}
	require.True(t, open)
	require.Greater(t, terms, 2, "the lease changed hands")
	t.Logf("%d terms", terms)
}

// TestLeadFails: the lease is released, and the process campaigns again.
func TestLeadFails(t *testing.T) {
	c := testcluster.Shared(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	times := 0
	require.NoError(t, Run(ctx, fast(c.Client(), c.Namespace(t), "first"), func(context.Context, func() error) error {
		if times++; times == 3 {
			stop()
		}
		return errors.New("the ledger can't be opened")
	}))
	require.Equal(t, 3, times)
}

func TestOptionsNameEveryMistake(t *testing.T) {
	good := Options{Client: &apiclient.Client{}, Namespace: "n", Name: "l", Identity: "i"}
	for name, tt := range map[string]struct {
		change func(*Options)
		want   []string
	}{
		"nothing":                {func(o *Options) { *o = Options{} }, []string{"Client", "Namespace", "Name", "Identity"}},
		"renew over duration":    {func(o *Options) { o.Duration, o.Renew = time.Second, 2*time.Second }, []string{"renew", "nine tenths"}},
		"no margin":              {func(o *Options) { o.Duration, o.Renew = 10*time.Second, 9500*time.Millisecond }, []string{"nine tenths"}},
		"retry too long":         {func(o *Options) { o.Retry = 6 * time.Second }, []string{"retry", "half"}},
		"negative":               {func(o *Options) { o.Retry = -1 }, []string{"retry"}},
		"a lease without an end": {func(o *Options) { o.Duration = 48 * time.Hour }, []string{"24h"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			tt.change(&o)
			err := Run(t.Context(), o, nil)
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
	o, err := good.withDefaults()
	require.NoError(t, err)
	require.Equal(t, []time.Duration{15 * time.Second, 10 * time.Second, 2 * time.Second}, []time.Duration{o.Duration, o.Renew, o.Retry})
	for d, want := range map[time.Duration]int32{time.Millisecond: 1, time.Second: 1, 1001 * time.Millisecond: 2} {
		require.Equal(t, want, (&Options{Duration: d}).seconds())
	}
}
