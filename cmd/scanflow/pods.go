package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// podFlags are the flags of `scanflow pods`.
type podFlags struct {
	data   string
	end    bool
	grace  time.Duration
	asJSON bool
	zone   screenZone
}

func newPods() *cobra.Command {
	var o podFlags
	c := &cobra.Command{
		Use:   "pods",
		Short: "List the local pods of a data folder, and end those that outlived their scanflow",
		Long: `Lists the processes that a data folder records: pods of Deployments (scanflow run
--workloads) and steps of workflows. They run on when their scanflow ends, and the next one
on the folder adopts them. A record whose process is gone, or whose PID is another process'
by now, is listed as "gone".

--end ends those that run, where no scanflow will: SIGTERM to each and what it started, and
SIGKILL once --grace is over. It is refused while a scanflow runs on the folder. A scanflow
that starts later starts the pods of its workloads again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := c.Flags()
	f.StringVar(&o.data, "data", defaultData, "data folder of the scanflow that started them")
	f.BoolVar(&o.end, "end", false, "end those that run")
	f.DurationVar(&o.grace, "grace", 30*time.Second, "with --end: time between SIGTERM and SIGKILL")
	f.BoolVar(&o.asJSON, "json", false, "one line of JSON")
	o.zone.add(c)
	return c
}

func (o *podFlags) run(cmd *cobra.Command) error {
	if o.grace < 0 {
		return fmt.Errorf("--grace: %s is negative", o.grace)
	}
	if !o.end && cmd.Flags().Changed("grace") {
		return errors.New("--grace: goes with --end")
	}
	pods, err := o.read(cmd.Context())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("--data: no pods have run with %s: %w", o.data, err)
	case errors.Is(err, orchestrator.ErrStateInUse):
		return fmt.Errorf("a scanflow runs on %s, and the pods are its own: %w; `scanflow run --stop-pods` ends them when it ends", o.data, err)
	}
	if o.asJSON {
		return errors.Join(writeLine(cmd.OutOrStdout(), append([]orchestrator.Leftover{}, pods...)), err)
	}
	if err != nil && len(pods) == 0 {
		return err // and not that there are none
	}
	_, printErr := fmt.Fprint(cmd.OutOrStdout(), o.text(pods, widthOf(cmd.OutOrStdout())))
	return errors.Join(printErr, err)
}

func (o *podFlags) read(ctx context.Context) ([]orchestrator.Leftover, error) {
	if o.end {
		return orchestrator.EndLeftovers(ctx, app.LocalDir(o.data), o.grace)
	}
	return orchestrator.Leftovers(app.LocalDir(o.data))
}

func (o *podFlags) text(pods []orchestrator.Leftover, columns int) string {
	if len(pods) == 0 && o.end {
		return "no pod runs\n"
	}
	if len(pods) == 0 {
		return "no pods are recorded\n"
	}
	table := plot.Table{Header: []string{"pod", "of", "pid", o.zone.head("since"), "state"}, Right: []bool{2: true}}
	names := (columns - 8 - 19 - 7 - 4*gap) / 2 // what the pid, the time and the state leave
	for _, p := range pods {
		state := "gone"
		switch {
		case p.Running && o.end:
			state = "ended"
		case p.Running:
			state = "running"
		}
		table.Rows = append(table.Rows, []string{plot.ClipMiddle(plot.Line(p.Pod), names), plot.ClipMiddle(plot.Line(p.Of), names), strconv.Itoa(p.PID), o.zone.stamp(p.StartedAt), state})
	}
	return table.String()
}
