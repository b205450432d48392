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

// Options configure a connection.
type Options struct {
	// Kubeconfig is a file; "" is $KUBECONFIG, then the service account of this process' pod, then
	// ~/.kube/config.
	Kubeconfig string
	// Concurrency bounds the concurrent requests without watches; 0 is 32.
	Concurrency int
	// Timeout bounds each request except watches; 0 is 15 s.
	Timeout time.Duration
	// UserAgent names this process in the API server's audit log; "" is scanflow.
	UserAgent string
}

const (
	defaultConcurrency = 32
	defaultTimeout     = 15 * time.Second
)

// Client is a connection. Fenced copies share the concurrency limit and the request counts. It
// is safe for concurrent use.
type Client struct {
	// Config is for typed clients, whose requests pass the same gate.
	Config  *rest.Config
	Dynamic dynamic.Interface
	Kinds   *Kinds
	// Namespace is that of this process' pod, or of the kubeconfig's context, or "default".
	Namespace string

	gate  *gate
	typed *typedClients
}

// New finds the API server. It sends no request, so it succeeds while the server is unreachable.
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

// FromConfig makes a Client from a configuration.
func FromConfig(config *rest.Config, namespace string, o Options) (*Client, error) {
	c := &Client{Namespace: cmp.Or(namespace, "default"), gate: newGate(cmp.Or(o.Concurrency, defaultConcurrency), cmp.Or(o.Timeout, defaultTimeout))}
	own := rest.CopyConfig(config)
	own.QPS = -1 // the API server's priority and fairness decides, not a token bucket here
	own.UserAgent = cmp.Or(o.UserAgent, "scanflow")
	own.WarningHandler = rest.NoWarnings{}
	return c.connect(own)
}

// Fenced returns a copy of the connection that sends no write once mayWrite returns an error:
// this process was deposed, and another may be writing. Reads continue.
func (c *Client) Fenced(mayWrite func() error) (*Client, error) {
	out := &Client{Namespace: c.Namespace, gate: c.gate.fenced(mayWrite)}
	return out.connect(rest.CopyConfig(c.Config))
}

func (c *Client) connect(config *rest.Config) (*Client, error) {
	c.typed = &typedClients{}
	config.WrapTransport = func(next http.RoundTripper) http.RoundTripper { return c.gate.wrap(next) }
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

// Requests returns how many requests were sent, without watches, by HTTP method.
func (c *Client) Requests() map[string]int64 { return c.gate.counts() }

// Reach reads the API server's version. The error says why the server can't be reached.
func (c *Client) Reach(ctx context.Context) error { return c.get(ctx, "/version") }

// withoutSecrets removes what may contain a token from an error. client-go quotes the command
// and the file of an exec plug-in, and never a bearer token, but a syntax error may quote the
// file's content.
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

// Ready asks the API server whether it is ready.
func (c *Client) Ready(ctx context.Context) error { return c.get(ctx, "/readyz") }

func (c *Client) get(ctx context.Context, path string) error {
	if _, err := c.Kinds.lookup.RESTClient().Get().AbsPath(path).Do(ctx).Raw(); err != nil {
		return fmt.Errorf("reach the Kubernetes API server: %w", withoutSecrets(err))
	}
	return nil
}
