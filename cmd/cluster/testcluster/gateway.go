package testcluster

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Gateway is a running stand-in gateway.
type Gateway struct {
	*child
	cluster *Cluster
}

// Gateway installs the HTTPRoute CRD and runs a gateway for the cluster's HTTPRoutes until
// the test ends. Each route listens on a free port of 127.0.0.1 (Address).
func (c *Cluster) Gateway(t testing.TB) *Gateway {
	t.Helper()
	binaries, err := c.BuildBinaries(context.Background())
	require.NoError(t, err)
	g, err := c.StartGateway(context.Background(), binaries, "--random-ports")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Stop()) })
	return g
}

// StartGateway is Gateway outside of a test, with further flags of "cluster gateway". Its
// metrics are on a free port, and each route listens on its own port unless the flags
// include --random-ports.
func (c *Cluster) StartGateway(ctx context.Context, p Binaries, flags ...string) (*Gateway, error) {
	if err := c.Install(ctx, "httproute"); err != nil {
		return nil, err
	}

	args := append([]string{"gateway", "--kubeconfig", c.Kubeconfig(), "--metrics", "127.0.0.1:0", "--until-input-ends"}, flags...)
	started, err := c.startChild("the gateway", c.uniqueName("gateway")+".log", p.Cluster, args)
	if err != nil {
		return nil, fmt.Errorf("start the gateway: %w", err)
	}
	return &Gateway{started, c}, nil
}

// Metrics returns the URL of its metrics.
func (g *Gateway) Metrics(ctx context.Context) (string, error) {
	return g.waitForLine(ctx, "counts requests on ")
}

// Address waits until the gateway has accepted an HTTPRoute, and returns its URL.
func (g *Gateway) Address(ctx context.Context, namespace, name string) (string, error) {
	return g.waitForLine(ctx, "HTTPRoute "+namespace+"/"+name+": ")
}

// waitForLine waits for a line of the log with a prefix, and returns the rest of the last
// such line.
func (g *Gateway) waitForLine(ctx context.Context, prefix string) (rest string, err error) {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	err = g.cluster.waitFor(ctx, "the gateway logs "+prefix, func(context.Context) error {
		raw, err := os.ReadFile(g.log)
		for line := range strings.Lines(string(raw)) {
			if after, ok := strings.CutPrefix(line, prefix); ok && strings.HasSuffix(after, "\n") {
				rest = strings.TrimSpace(after)
			}
		}
		select {
		case <-g.done:
			return fmt.Errorf("it has ended; its log is %s", g.log)
		default:
		}
		if err == nil && rest == "" {
			err = fmt.Errorf("not yet; its log is %s", g.log)
		}
		return err
	})
	return rest, err
}
