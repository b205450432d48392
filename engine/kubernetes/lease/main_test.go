package lease

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// childEnv says that a test started this binary again, to lead until it is killed.
const childEnv = "SCANFLOW_LEASE_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		testcluster.Main(m)
	}
	if err := childLeads(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// childLeads leads for ever, and says so.
func childLeads(kubeconfig, namespace string) error {
	client, err := apiclient.New(apiclient.Options{Kubeconfig: kubeconfig})
	if err != nil {
		return err
	}
	return Run(context.Background(), fast(client, namespace, "child"), func(ctx context.Context, fence func() error) error {
		fmt.Println("leads")
		<-ctx.Done()
		return errors.New("the child lost its lease")
	})
}

// fast are the shortest durations that make sense: a Lease counts whole seconds.
func fast(client *apiclient.Client, namespace, identity string) Options {
	return Options{Client: client, Namespace: namespace, Name: "planner", Identity: identity,
		Duration: 900 * time.Millisecond, Renew: 600 * time.Millisecond, Retry: 100 * time.Millisecond}
}

// running is a candidate under test.
type running struct {
	stop  context.CancelFunc
	leads chan led      // one for each time of leading
	wound chan struct{} // lead waits for it before it returns
	ended chan error
}

type led struct {
	ctx   context.Context
	fence func() error
	at    time.Time
}

// run starts a candidate, whose lead returns once its context has ended and a value
// came from wound, if that is wanted.
func run(t *testing.T, o Options, winding bool) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &running{stop: stop, leads: make(chan led, 100), ended: make(chan error, 1)}
	if winding {
		r.wound = make(chan struct{})
	}
	go func() {
		r.ended <- Run(ctx, o, func(ctx context.Context, fence func() error) error {
			r.leads <- led{ctx, fence, time.Now()}
			<-ctx.Done()
			if winding {
				<-r.wound
			}
			return nil
		})
	}()
	t.Cleanup(func() {
		stop()
		if r.ended != nil {
			require.NoError(t, <-r.ended)
		}
	})
	return r
}

func (r *running) wait(t *testing.T) led {
	t.Helper()
	select {
	case leads := <-r.leads:
		return leads
	case <-time.After(20 * time.Second):
		require.FailNow(t, "it never leads")
		return led{}
	}
}

func (r *running) end(t *testing.T) {
	t.Helper()
	r.stop()
	require.NoError(t, <-r.ended)
	r.ended = nil
}

func leases(t *testing.T, c *testcluster.Cluster, namespace string) coordination.LeaseInterface {
	t.Helper()
	client, err := coordination.NewForConfig(c.Client().Config)
	require.NoError(t, err)
	return client.Leases(namespace)
}

func read(t *testing.T, of coordination.LeaseInterface) *coordinationv1.Lease {
	t.Helper()
	l, err := of.Get(context.Background(), "planner", metav1.GetOptions{})
	require.NoError(t, err)
	return l
}

// connect is a connection of its own, that fails while it is cut.
func connect(t *testing.T, c *testcluster.Cluster) (*apiclient.Client, *atomic.Bool) {
	t.Helper()
	client, err := apiclient.New(apiclient.Options{Kubeconfig: c.Kubeconfig()})
	require.NoError(t, err)
	cut := &atomic.Bool{}
	gate := client.Config.WrapTransport
	client.Config.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
		return gate(tripper(func(r *http.Request) (*http.Response, error) {
			if cut.Load() {
				return nil, errors.New("the connection is cut")
			}
			return next.RoundTrip(r)
		}))
	}
	return client, cut
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
