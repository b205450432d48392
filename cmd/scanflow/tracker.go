package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/tracker"
	"github.com/scanflow-k8s/scanflow/engine/server"
)

type trackerFlags struct {
	logs                    logFlags
	listen, data, tokenFile string
}

func newTracker() *cobra.Command {
	var o trackerFlags
	c := &cobra.Command{
		Use:   "tracker",
		Short: "Run a small tracker that speaks MLflow's REST API, for a laptop",
		Long: `Runs a small tracker: experiments, runs, models with versions, aliases and stages,
and artifacts, in one folder. MLflow's clients talk to it as to MLflow; without a
token it answers on loopback only, with one to whoever sends it as
MLFLOW_TRACKING_TOKEN.

It has no web page, no traces, no users, and one machine's disk. Who outgrows it
runs MLflow (https://mlflow.org) and points the same programs to it.

On SIGTERM it finishes the requests under way, and ends within 10 s.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runTracker(cmd.Context(), &o, cmd.OutOrStdout())
		},
	}
	o.logs.add(c, "info")
	f := c.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:5000", "address to serve on")
	f.StringVar(&o.data, "data", filepath.Join(defaultData, "tracker"), "folder of runs, models and artifacts; made if it isn't there")
	f.StringVar(&o.tokenFile, "token-file", "", "file with the bearer token that opens it; wanted beyond loopback")
	return c
}

// trackerGrace bounds the requests in flight after SIGTERM.
const trackerGrace = 10 * time.Second

func runTracker(ctx context.Context, o *trackerFlags, out io.Writer) (err error) {
	log, err := o.logs.logger()
	if err != nil {
		return err
	}
	log = log.Named("tracker")
	token, err := readToken("--token-file", o.tokenFile)
	if err != nil {
		return err
	}
	listener, err := server.Listen(ctx, o.listen)
	if err != nil {
		return err
	}
	t, err := tracker.Open(ctx, tracker.Options{Dir: o.data, Log: log})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	address := listener.Addr().(*net.TCPAddr)
	loopback := address.IP.IsLoopback()
	if !loopback && token == "" {
		log.Warn("listening beyond loopback without a token: only /health and /version are shown", "address", address)
	}
	web := &http.Server{
		Handler: tracker.Guard(token, loopback, t.Handler()), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: log.StandardLogger(&hclog.StandardLoggerOptions{InferLevels: true}),
	}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }()
	if _, err := fmt.Fprint(out, trackerAt(address, o.data)); err != nil {
		return errors.Join(err, web.Close(), <-served)
	}
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), trackerGrace)
	defer cancel()
	err = web.Shutdown(last)
	if err != nil {
		err = errors.Join(err, web.Close())
	}
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// trackerAt describes where the tracker listens, with an address that can be dialled in
// place of 0.0.0.0 and [::].
func trackerAt(address *net.TCPAddr, data string) string {
	at, also := address.String(), ""
	if address.IP.IsUnspecified() {
		at, also = net.JoinHostPort("127.0.0.1", strconv.Itoa(address.Port)), " and this machine's other addresses"
	}
	return fmt.Sprintf("tracker at http://%s%s, data in %s\nexport MLFLOW_TRACKING_URI=http://%[1]s\n", at, also, data)
}
