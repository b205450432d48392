package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/demo"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// scenarios are the demos by name; each says whether it went as it must.
var scenarios = map[string]func(context.Context, demo.Options) (report any, held bool, err error){
	"autoscale": func(ctx context.Context, o demo.Options) (any, bool, error) {
		r, err := demo.Autoscale(ctx, o)
		return r, r != nil && r.Held, err
	},
	"drift": func(ctx context.Context, o demo.Options) (any, bool, error) {
		r, err := demo.Drift(ctx, o)
		return r, r != nil && r.Held, err
	},
	"bad-model": func(ctx context.Context, o demo.Options) (any, bool, error) {
		r, err := demo.BadModel(ctx, o)
		return r, r != nil && r.Held, err
	},
	"day": func(ctx context.Context, o demo.Options) (any, bool, error) {
		r, err := demo.Day(ctx, o)
		return r, r != nil && r.Held, err
	},
}

func newDemo() *cobra.Command {
	var o demo.Options
	var logs logFlags
	var from policyFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "demo [autoscale | drift | bad-model | day]",
		Short: "Watch agents keep a model-serving workload healthy",
		Long: `Runs a scenario on this machine, with nothing but this program, and ends with a
report; the exit status is 0 only if it went as it must.

autoscale  A digit classifier, one process a replica, under a load that steps up,
           swings and falls, while an agent scales the replicas. It held if latency
           stayed within its objective and no request was lost.
drift      The digits drift and accuracy falls. Four agents notice, retrain, compare,
           promote and roll out, in rounds. It held if each round raised accuracy on
           held-out drifted digits, and four fifths of the drift's cost was won back.
bad-model  A version that compares well and serves badly is promoted. It held if it
           was rolled back within two intervals, and never promoted again.
day        Both layers at once: digits drift twice under a day's load, four agents keep
           the model right while a fifth scales the same Deployment, and a replica is
           killed. It held if each round raised accuracy, latency stayed within its
           objective, no request was lost but on the replica that died, replicas
           followed the load, and no field was written by two agents.`,
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"autoscale", "drift", "bad-model", "day"},
		RunE: func(cmd *cobra.Command, args []string) error {
			name := "autoscale"
			if len(args) > 0 {
				name = args[0]
			}
			var err error
			switch {
			case o.Speed < 1 || o.Speed > 4:
				return fmt.Errorf("--speed: %g is not between 1 and 4: processes start no faster", o.Speed)
			case o.Keep && name != "autoscale":
				return fmt.Errorf("--keep: goes with autoscale only")
			case o.Speed != 1 && name != "autoscale" && name != "day":
				return fmt.Errorf("--speed: goes with autoscale and day only: the agents of %s are as fast as they can be", name)
			case o.Plot != "" && name != "day":
				return fmt.Errorf("--plot: goes with day only")
			}
			if o.Policies, err = from.source(); err != nil {
				return err
			}
			if o.Log, err = logs.logger(); err != nil {
				return err
			}
			if o.Self, err = os.Executable(); err != nil {
				return fmt.Errorf("find this program's own file: %w", err)
			}
			o.Out = cmd.OutOrStdout()
			report, held, err := scenarios[name](cmd.Context(), o)
			if cmd.Context().Err() != nil && !o.Keep {
				_, _ = fmt.Fprintln(cmd.OutOrStdout(), "\ninterrupted")
				return exitCode(130)
			}
			if err != nil {
				return err
			}
			if asJSON {
				if err := writeLine(cmd.OutOrStdout(), report); err != nil {
					return err
				}
			}
			if !held {
				return errSilent
			}
			return nil
		},
	}
	f := c.Flags()
	logs.add(c, "warn")
	f.BoolVar(&asJSON, "json", false, "print the report as one line of JSON, the last")
	f.BoolVar(&o.Keep, "keep", false, "autoscale: leave it running after the report, and print the addresses")
	f.Float64Var(&o.Speed, "speed", 1, "autoscale, day: divide every duration of the load, and of the agent that scales, by this, 1 to 4")
	f.StringVar(&o.Digits, "digits", "", "folder of MNIST's IDX files, plain or gzipped; absent: rendered digits")
	from.add(f)
	f.Lookup("policies").Usage += ", copied to be edited"
	f.StringVar(&o.Dir, "dir", "", "keep the run's files in this folder; absent: a temporary one")
	f.StringVar(&o.Plot, "plot", "", "day: draw the run into this file, as SVG")
	f.Uint64Var(&o.Seed, "seed", 1, "of digits, weights and arrivals")
	return c
}

func writeLine(w io.Writer, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, plot.JSON(string(raw)))
	return err
}
