package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
)

// readyPoll is the pause between two requests of `scanflow ready --wait`.
const readyPoll = 500 * time.Millisecond

func newReady() *cobra.Command {
	var o clientFlags
	var wait time.Duration
	c := &cobra.Command{
		Use:   "ready",
		Short: "Ask a running scanflow whether it is ready",
		Long: `Asks a running scanflow for /readyz, which needs no token. It prints "ready" if the
answer is 200, and fails with the reasons of the answer otherwise. The chart's
` + "`helm test`" + ` runs it against the release's Service.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if wait < 0 {
				return fmt.Errorf("--wait: %s is negative", wait)
			}
			if err := o.waitReady(cmd.Context(), wait); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "ready")
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&o.server, "server", defaultServer, "address of the running scanflow")
	f.StringVar(&o.caFile, "ca-file", "", "file with the certificate authority of its certificate; absent: the system's")
	f.DurationVar(&wait, "wait", 0, "ask again for so long until it is ready; 0: ask once")
	return c
}

// waitReady asks for readiness until the answer is yes or the time is over. The error is that
// of the last request.
func (o *clientFlags) waitReady(ctx context.Context, wait time.Duration) error {
	deadline := time.Now().Add(wait)
	for {
		err := o.ready(ctx)
		if err == nil || !time.Now().Add(readyPoll).Before(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(readyPoll):
		}
	}
}

// ready is one request for readiness.
func (o *clientFlags) ready(ctx context.Context) error {
	base, err := o.base()
	if err != nil {
		return err
	}
	client, err := o.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base.String(), "/")+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("no scanflow answers at %s: %w", base.Host, errors.Unwrap(err))
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", base.Host, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is not ready (%s): %s", base.Host, resp.Status, engine.Clip(plot.Line(strings.ReplaceAll(strings.TrimSpace(string(raw)), "\n", "; "))))
	}
	return nil
}
