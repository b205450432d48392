package apiclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Options say which API server, and how hard it may be asked.
type Options struct {
	// Kubeconfig is a file; "" is $KUBECONFIG, then the service account of the pod
	// that this process runs in, then ~/.kube/config.
	Kubeconfig string
	// Concurrency bounds the requests under way, watches apart; 0 is 32.
	Concurrency int
	// Timeout bounds each request, watches apart; 0 is 15 s.
	Timeout time.Duration
	// UserAgent is how the API server's audit log names this process; "" is scanflow.
	UserAgent string
}

const (
	defaultConcurrency = 32
	defaultTimeout     = 15 * time.Second
)

// Client is a connection. Copies of it share the bound on concurrency and the count
// of requests. It is safe for concurrent use.
type Client struct {
	// Config is for clients of typed groups: every request that they make passes the
	// same gate.
	Config  *rest.Config
	Dynamic dynamic.Interface
	Kinds   *Kinds
	// Namespace is where this process lives, or what the kubeconfig's context says;
	// "default" if neither does.
	Namespace string

	gate *gate
}

// New finds the API server. It asks nothing yet, so it succeeds while the server is
// away.
func New(o Options) (*Client, error) {
	loader := clientcmd.NewDefaultClientConfigLoadingRules()
	loader.ExplicitPath = o.Kubeconfig
	deferred := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(loader, &clientcmd.ConfigOverrides{})
	config, err := deferred.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("find the Kubernetes API server: %w; pass --kubeconfig FILE, set KUBECONFIG, or run in a pod with a service account", withoutSecrets(err))
	}
	namespace, _, err := deferred.Namespace()
	if err != nil {
		return nil, fmt.Errorf("find this process' namespace: %w", err)
	}
	return FromConfig(config, namespace, o)
}

// FromConfig connects with a configuration that is there already.
func FromConfig(config *rest.Config, namespace string, o Options) (*Client, error) {
	c := &Client{Namespace: cmp.Or(namespace, "default"), gate: newGate(cmp.Or(o.Concurrency, defaultConcurrency), cmp.Or(o.Timeout, defaultTimeout))}
	own := rest.CopyConfig(config)
	own.QPS = -1 // the API server's priority and fairness decides, not a token bucket here
	own.UserAgent = cmp.Or(o.UserAgent, "scanflow")
	own.WarningHandler = rest.NoWarnings{}
	return c.with(own)
}

// Fenced is this connection, but that nothing is written once may says no: the
// process was deposed, and another may be writing. Reads go on.
func (c *Client) Fenced(may func() error) (*Client, error) {
	out := &Client{Namespace: c.Namespace, gate: c.gate.fenced(may)}
	return out.with(rest.CopyConfig(c.Config))
}

func (c *Client) with(config *rest.Config) (*Client, error) {
	config.WrapTransport = func(next http.RoundTripper) http.RoundTripper { return c.gate.around(next) }
	c.Config = config
	var err error
	if c.Dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("connect to the Kubernetes API server: %w", withoutSecrets(err))
	}
	lookup, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the Kubernetes API server: %w", withoutSecrets(err))
	}
	c.Kinds = newKinds(lookup)
	return c, nil
}

// Requests is how many requests were sent, watches apart, by HTTP method.
func (c *Client) Requests() map[string]int64 { return c.gate.counts() }

// Reach asks the API server for its version: an error says why it can't be reached.
func (c *Client) Reach(ctx context.Context) error { return c.get(ctx, "/version") }

// withoutSecrets cuts from an error what may hold a token: client-go quotes the
// command and the file of an exec plug-in, and never a bearer token, but a file's
// own content may be in a syntax error.
func withoutSecrets(err error) error {
	var path *os.PathError
	switch {
	case clientcmd.IsEmptyConfig(err):
		return errors.New("there is no kubeconfig, and this is no pod")
	case errors.As(err, &path):
		return path
	case clientcmd.IsConfigurationInvalid(err):
		return errors.New("the kubeconfig is not complete: its context needs a cluster and a user that it has")
	}
	return err
}

// Ready asks the API server whether it is ready to serve.
func (c *Client) Ready(ctx context.Context) error { return c.get(ctx, "/readyz") }

func (c *Client) get(ctx context.Context, path string) error {
	if _, err := c.Kinds.lookup.RESTClient().Get().AbsPath(path).Do(ctx).Raw(); err != nil {
		return fmt.Errorf("reach the Kubernetes API server: %w", withoutSecrets(err))
	}
	return nil
}
