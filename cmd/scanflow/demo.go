package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/demo"
)

func newDemo() *cobra.Command {
	var o demo.Options
	var logs logFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "demo [autoscale]",
		Short: "Watch an agent keep a model-serving workload within its quality of service",
		Long: `Trains a digit classifier, serves it by one process a replica, scrapes it with an
embedded Prometheus, and drives it with a load that steps up, swings and falls,
while an agent whose strategies are Rego scales the replicas. Needs nothing but
this program. Ends with a report; the exit status is 0 only if the objective held.`,
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"autoscale"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Speed < 1 || o.Speed > 4 {
				return fmt.Errorf("--speed: %g is not between 1 and 4: processes start no faster", o.Speed)
			}
			if o.Log, err = logs.logger(); err != nil {
				return err
			}
			if o.Self, err = os.Executable(); err != nil {
				return fmt.Errorf("find this program's own file: %w", err)
			}
			o.Out = cmd.OutOrStdout()
			report, err := demo.Autoscale(cmd.Context(), o)
			if report == nil {
				if cmd.Context().Err() != nil {
					_, _ = fmt.Fprintln(cmd.OutOrStdout(), "\ninterrupted")
					return exitCode(130)
				}
				return err
			}
			if asJSON {
				if err := writeLine(cmd.OutOrStdout(), report); err != nil {
					return err
				}
			}
			if err == nil && !report.Held {
				return errSilent
			}
			return err
		},
	}
	f := c.Flags()
	logs.add(c, "warn")
	f.BoolVar(&asJSON, "json", false, "print the report as one line of JSON, the last")
	f.BoolVar(&o.Keep, "keep", false, "leave it running after the report, and print the addresses")
	f.Float64Var(&o.Speed, "speed", 1, "divide every duration by this, 1 to 4")
	f.StringVar(&o.Digits, "digits", "", "folder of MNIST's IDX files, plain or gzipped; absent: rendered digits")
	f.StringVar(&o.Policies, "policies", "", "folder of policies, or a bundle .tar.gz; absent: a copy of the ones that ship")
	f.StringVar(&o.Dir, "dir", "", "keep the run's files in this folder; absent: a temporary one")
	f.Uint64Var(&o.Seed, "seed", 1, "of digits, weights and arrivals")
	return c
}

func writeLine(w io.Writer, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, string(raw))
	return err
}
