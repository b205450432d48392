package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scanflow-k8s/scanflow/cmd/internal/demo"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// demoFlags are the command's flags.
type demoFlags struct {
	demo.Options
	logs       logFlags
	policies   policyFlags
	asJSON     bool
	list       bool
	kubernetes bool
	kubeconfig string
}

func newDemo() *cobra.Command {
	var o demoFlags
	names := []string{}
	var long strings.Builder
	long.WriteString("Runs a scenario and ends with a report; the exit status is 0 only if it went as it must.\n")
	for _, s := range demo.Scenarios {
		names = append(names, s.Name)
		fmt.Fprintf(&long, "\n%s\n%s\n", s.Name, plot.Wrap(s.Shows+" It held if "+s.Held+".", "  ", 80))
	}
	c := &cobra.Command{
		Use:       "demo [" + strings.Join(names, " | ") + "]",
		Short:     "Watch agents keep a model-serving workload healthy",
		Long:      long.String(),
		Args:      o.scenarioArgs(names),
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.list {
				return printScenarios(cmd.OutOrStdout())
			}
			name := names[0]
			if len(args) > 0 {
				name = args[0]
			}
			s, _ := demo.Find(name) // Args has checked the name
			return o.run(cmd, s)
		},
	}
	f := c.Flags()
	o.logs.add(c, "error")
	f.BoolVar(&o.list, "list", false, "list the scenarios: what each shows, needs and takes")
	f.BoolVar(&o.asJSON, "json", false, "print the report as one line of JSON, the last")
	f.BoolVar(&o.Keep, "keep", false, "autoscale: leave it running after the report, and print the addresses")
	f.Float64Var(&o.Speed, "speed", 1, "divide every duration of the scenario by this; --list says up to what")
	f.StringVar(&o.Digits, "digits", "", "folder of MNIST's IDX files, plain or gzipped; absent: rendered digits")
	o.policies.add(f)
	f.Lookup("policies").Usage += ", copied to be edited"
	f.StringVar(&o.Dir, "dir", "", "keep the run's files in this folder; absent: a temporary one")
	f.StringVar(&o.Plot, "plot", "", "write the report's picture to this file, as SVG")
	f.BoolVar(&o.kubernetes, "kubernetes", false, "run it on a cluster whose pods can be reached from here, as those of the test cluster can: go run ./cmd/cluster up --gateway --workflows --workflow-pods --cores node-1=0 --cores node-2=1")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "with --kubernetes: how to reach the cluster; absent: $KUBECONFIG, or ~/.kube/config")
	f.StringVar(&o.GatewayMetrics, "gateway-metrics", "127.0.0.1:8283", "with --kubernetes: where the cluster's gateway is scraped, as host:port")
	f.Uint64Var(&o.Seed, "seed", 1, "of digits, weights and arrivals")
	return c
}

// scenarioArgs accepts at most one scenario, and nothing beside --list.
func (o *demoFlags) scenarioArgs(all []string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		var errs []error
		for _, name := range args {
			if !slices.Contains(all, name) {
				errs = append(errs, fmt.Errorf("there is no scenario %q: choose of %s", name, strings.Join(all, ", ")))
			}
		}
		if len(args) > 1 {
			errs = append(errs, fmt.Errorf("one scenario runs at a time, and %d are named: %s", len(args), strings.Join(args, ", ")))
		}
		if o.list && len(args) > 0 {
			errs = append(errs, errors.New("--list: lists all scenarios; leave the name out"))
		}
		cmd.Flags().Visit(func(f *pflag.Flag) {
			if o.list && f.Name != "list" {
				errs = append(errs, fmt.Errorf("--%s: has no effect with --list; leave it out", f.Name))
			}
		})
		return errors.Join(errs...)
	}
}

// checkPlotFile refuses a --plot that can't be written before the run, which takes minutes.
// A file below --dir is accepted: the run makes that folder.
func (o *demoFlags) checkPlotFile(given bool) error {
	if !given {
		return nil
	}
	if o.Plot == "" {
		return errors.New("--plot: it is empty; name a file, or leave it out")
	}
	if inside, err := filepath.Rel(o.Dir, o.Plot); o.Dir != "" && err == nil && filepath.IsLocal(inside) && inside != "." {
		return nil
	}
	return checkWritable("plot", o.Plot)
}

// run prints what the scenario shows, runs it, and prints its report and the next steps.
func (o *demoFlags) run(cmd *cobra.Command, s *demo.Scenario) (err error) {
	for _, flag := range []string{"kubeconfig", "gateway-metrics"} {
		if cmd.Flags().Changed(flag) && !o.kubernetes {
			return fmt.Errorf("--%s: goes with --kubernetes", flag)
		}
	}
	if o.kubernetes {
		if o.Kubernetes, err = apiclient.New(apiclient.Options{Kubeconfig: o.kubeconfig, UserAgent: "scanflow-demo/" + version(), Concurrency: 250}); err != nil {
			return err
		}
	}
	mistakes := s.Check(&o.Options)
	if err := o.checkPlotFile(cmd.Flags().Changed("plot")); err != nil {
		mistakes = append(mistakes, err.Error())
	}
	if len(mistakes) > 0 {
		return errors.New(strings.Join(mistakes, "\n"))
	}
	if o.Options.Policies, err = o.policies.source(); err != nil {
		return err
	}
	if o.Log, err = o.logs.logger(); err != nil {
		return err
	}
	libraryLog(o.Log)
	if o.Self, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program's own file: %w", err)
	}
	o.Out = cmd.OutOrStdout()
	if _, err := fmt.Fprintf(o.Out, "shows  %s\nneeds  %s\ntakes  some %s\n\n", strings.TrimSpace(plot.Wrap(s.Shows, "       ", 88)), s.Needs, o.estimatedDuration(s)); err != nil {
		return err
	}
	report, held, err := s.Run(cmd.Context(), o.Options)
	if cmd.Context().Err() != nil && !o.Keep {
		_, _ = fmt.Fprintln(o.Out, "\ninterrupted")
		return exitCode(exitInterrupted)
	}
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(o.Out, "\n%s\n", o.nextSteps(s)); err != nil {
		return err
	}
	if o.asJSON {
		if err := writeLine(o.Out, report); err != nil {
			return err
		}
	}
	if !held {
		return errSilent
	}
	return nil
}

// estimatedDuration formats roughly how long a scenario takes at the chosen speed.
func (o *demoFlags) estimatedDuration(s *demo.Scenario) string {
	d := time.Duration(float64(s.Takes) / o.Speed)
	if d < 3*time.Minute {
		return fmt.Sprintf("%.0f s", math.Ceil(d.Seconds()/10)*10)
	}
	return fmt.Sprintf("%.0f min", math.Ceil(d.Minutes()))
}

// nextSteps suggests commands to run after the scenario.
func (o *demoFlags) nextSteps(s *demo.Scenario) string {
	title, dir := "Next:", o.Dir
	if dir == "" {
		title, dir = "Next: the run's files are removed; with --dir DIR they stay, its manifests, policies and journal:", "DIR"
	}
	replacer := strings.NewReplacer("DATA", filepath.Join(dir, "data"), "DIR", dir)
	lines := []string{title}
	for _, line := range s.Next {
		lines = append(lines, "  "+replacer.Replace(line))
	}
	return strings.Join(lines, "\n")
}

func printScenarios(w io.Writer) error {
	table := plot.Table{Header: []string{"scenario", "takes", "speed", "needs", "on a cluster"}}
	for _, s := range demo.Scenarios {
		clusters := "no"
		if s.Clusters {
			clusters = "--kubernetes"
		}
		if s.ClusterOnly != "" {
			clusters = "--kubernetes, always"
		}
		table.Rows = append(table.Rows, []string{s.Name, (&demoFlags{Options: demo.Options{Speed: 1}}).estimatedDuration(&s), fmt.Sprintf("1..%g", s.MaxSpeed), s.Needs, clusters})
	}
	_, err := fmt.Fprintln(w, table.String())
	for _, s := range demo.Scenarios {
		if err == nil {
			_, err = fmt.Fprintf(w, "%s\n%s\n", s.Name, plot.Wrap(s.Shows, "  ", 80))
		}
	}
	return err
}

func writeLine(w io.Writer, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, plot.JSON(string(raw)))
	return err
}
