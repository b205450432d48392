package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier/server"
	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier/share"
)

// maxServeThreads bounds --threads above any machine's cores. Each thread allocates its own
// memory and classifies an image before the server is ready.
const maxServeThreads = 1024

type classifierServeFlags struct {
	modelFlags
	listen         string
	cpu            share.Share
	threads, queue int
	linger, grace  time.Duration
	outage         string
}

func newClassifierServe() *cobra.Command {
	var o classifierServeFlags
	c := &cobra.Command{
		Use:   "serve --model large|small --cpu 150m",
		Short: "Serve predictions over HTTP: /predict, /healthz, /metrics",
		Long: `Serves predictions over HTTP. POST /predict takes one image: 224 rows of 224 pixels as
bytes of red, green and blue (application/octet-stream, 150528 bytes), or image/jpeg or
image/png of another size, which is scaled. The answer is {"model","class","probability"}.

The weights are drawn from --seed, not trained: the class means nothing, and costs what
it would cost if it did.

--cpu holds the server to a share of a core, as the kernel's quota would: in each period
of 100 ms it works until the process has used its share, and then waits. What a
neighbour on the core uses does not count. A manifest's own bound comes by

  env:
    - name: CPU_LIMIT
      valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}
  args: [classifier, serve, "--cpu=$(CPU_LIMIT)m"]

One image is worked at a time, on one core; --queue more requests wait, and others get
503 with Retry-After. On SIGTERM, /healthz says 503, new requests are taken for --linger
more, and those that it has are answered.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.serve(cmd.Context()) },
	}
	o.add(c)
	f := c.Flags()
	f.StringVar(&o.listen, "listen", "", "address to serve on; absent: $POD_IP (127.0.0.1) and $PORT (8080)")
	f.Var(&o.cpu, "cpu", "share of the CPU, as in manifests: 150m, 0.15, 1; absent: no bound")
	f.IntVar(&o.threads, "threads", 1, "images worked at a time, each on a core")
	f.IntVar(&o.queue, "queue", 32, "requests that may wait")
	f.DurationVar(&o.linger, "linger", 0, "how long new requests are still taken after SIGTERM")
	f.DurationVar(&o.grace, "grace", 30*time.Second, "how long the requests under way may take after SIGTERM")
	f.StringVar(&o.outage, "outage", "", "a drill: while this file is there, end at once, as if killed, and do not come up")
	return c
}

// check refuses values that are out of range.
func (o *classifierServeFlags) check() error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(o.threads < 1 || o.threads > maxServeThreads, "--threads: %d is not from 1 to %d", o.threads, maxServeThreads)
	refuse(o.queue < 0, "--queue: %d is below 0", o.queue)
	refuse(o.linger < 0, "--linger: %s is below 0", o.linger)
	return errors.Join(append(errs, checkGrace(o.grace))...)
}

// checkGrace refuses a grace of 0, for which a server would use its default.
func checkGrace(grace time.Duration) error {
	if grace <= 0 {
		return fmt.Errorf("--grace: %s is not above 0; to cut off the requests under way, give a short one, such as 1ms", grace)
	}
	return nil
}

func (o *classifierServeFlags) serve(ctx context.Context) error {
	model, err := o.model()
	if err := errors.Join(err, o.check()); err != nil {
		return err
	}
	drill := outage(o.outage)
	if !drill.waitUntilOver(ctx) {
		return nil
	}
	var watcher sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	defer func() { stop(); watcher.Wait() }()
	watcher.Go(func() { drill.exitWhenActive(ctx) })
	return server.Serve(ctx, server.Options{
		Addr:  cmp.Or(o.listen, net.JoinHostPort(cmp.Or(os.Getenv("POD_IP"), "127.0.0.1"), cmp.Or(os.Getenv("PORT"), "8080"))),
		Model: model, Seed: o.seed, CPU: o.cpu, Threads: o.threads, Queue: o.queue, Linger: o.linger, Grace: o.grace,
		Logger: newLog(hclog.LoggerOptions{Name: "classifier", Output: os.Stderr}),
	})
}
