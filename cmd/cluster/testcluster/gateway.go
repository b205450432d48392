package testcluster

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Gateway is a stand-in gateway under way.
type Gateway struct {
	*child
	cluster *Cluster
}

// Gateway installs the HTTPRoute's definition and starts a gateway that routes by the
// cluster's HTTPRoutes, each on a free port of 127.0.0.1 (Address), until the test ends.
func (c *Cluster) Gateway(t testing.TB) *Gateway {
	t.Helper()
	binaries, err := c.BuildBinaries(context.Background())
	require.NoError(t, err)
	g, err := c.StartGateway(context.Background(), binaries, "--random-ports")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Stop()) })
	return g
}

// StartGateway is Gateway outside of a test, with more flags of "cluster gateway". Its
// metrics are on a free port, and each route listens on its own unless --random-ports is
// among the flags.
func (c *Cluster) StartGateway(ctx context.Context, p Binaries, flags ...string) (*Gateway, error) {
	if err := c.Install(ctx, "httproute"); err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.counter++
	log := fmt.Sprintf("gateway-%d.log", c.counter)
	c.mu.Unlock()
	args := append([]string{"gateway", "--kubeconfig", c.Kubeconfig(), "--metrics", "127.0.0.1:0", "--until-input-ends"}, flags...)
	started, err := c.startChild("the gateway", log, p.Cluster, args)
	if err != nil {
		return nil, fmt.Errorf("start the gateway: %w", err)
	}
	return &Gateway{started, c}, nil
}

// Metrics is the URL of what it counts.
func (g *Gateway) Metrics(ctx context.Context) (string, error) {
	return g.waitForLine(ctx, "counts requests on ")
}

// Address is the URL where an HTTPRoute listens, once the gateway has taken it.
func (g *Gateway) Address(ctx context.Context, namespace, name string) (string, error) {
	return g.waitForLine(ctx, "HTTPRoute "+namespace+"/"+name+": ")
}

// said waits for a line, and returns what follows its beginning in the last of its kind.
func (g *Gateway) waitForLine(ctx context.Context, begins string) (rest string, err error) {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	err = g.cluster.waitFor(ctx, "the gateway says "+begins, func(context.Context) error {
		raw, err := os.ReadFile(g.log)
		for line := range strings.Lines(string(raw)) {
			if after, is := strings.CutPrefix(line, begins); is && strings.HasSuffix(after, "\n") {
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
