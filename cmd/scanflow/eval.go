package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentcheck"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/confine"
	"github.com/scanflow-k8s/scanflow/engine/loop"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/sensors"
)

type evalFlags struct {
	inputFlags
	client               clientFlags
	logs                 logFlags
	agent, input, target string
	prometheus, mlflow   string
	explain              string
	workloads            []string
	over                 time.Duration
}

func newEval() *cobra.Command {
	var o evalFlags
	c := &cobra.Command{
		Use:   "eval {-f FILE | --server [URL]}",
		Short: "Print what an agent would decide now, with its documents, without acting",
		Long: `Samples the agent's sensors once, asks its strategies, and prints as JSON each
target's document and what would be done. Nothing is done and nothing is written.
The agent remembers nothing here: no cooldown runs and no budget is spent. Why a
signal is not ok goes to standard error, one line a signal.

--server asks a running scanflow (at http://127.0.0.1:8282, if no address follows) what
its --agent would decide now: on samples of now, with its memory, claims, cooldowns and
budgets, and the plans of what runs. Its turns are what they would be without that. With
--policies, the documents and that state come from there, and these policies decide:
what would an edit decide now? An act that the running policies don't propose can't be
planned then.

--workloads takes the targets of a selector from the Deployments of "scanflow run
--workloads", and starts none of them. Replicas and model are then those of the files,
whatever an act has made of them since; no replica is ready, placement is empty, and
sensors of kind workload, or that scrape a pod's port, are empty. The verdict on a verb
that is for the workloads or the tracker, and that every guard admits, is "not planned
here": whether it would change anything is not known. That is no refusal.

--input FILE decides on a given document instead ("-" reads standard input): what
eval printed for one target, or "scanflow decisions --document ID". --explain STRATEGY writes
OPA's trace of that strategy on it to standard error.

The exit status is 0 where each proposal can be decided on, whether a guard refuses it or
not. It is 3 where one is malformed: it is no proposal, its parameters have mistakes, or
the agent may not use its verb; or where a strategy fails. What is wrong goes to standard
error, after the documents. It is 1 where nothing could be evaluated.`,
		Args: o.serverArgument,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("server") {
				return evalRunning(cmd.Context(), cmd, &o)
			}
			for _, name := range []string{"token-file", "ca-file"} {
				if cmd.Flags().Changed(name) {
					return fmt.Errorf("--%s: goes with --server", name)
				}
			}
			return eval(cmd.Context(), cmd, &o)
		},
	}
	o.inputFlags.add(c, agentFilesUse)
	o.client.add(c)
	c.Flags().Lookup("server").NoOptDefVal, c.Flags().Lookup("server").Usage = defaultServer, "ask the running scanflow at this address"
	o.logs.add(c, "warn")
	f := c.Flags()
	f.StringVar(&o.agent, "agent", "", "which agent, as name or namespace/name, where there are several")
	completeFlag(c, "agent", agentsOfFiles(&o.manifests))
	f.StringVar(&o.target, "target", "", "only this target, as namespace/name")
	listFlag(f, &o.workloads, "workloads", "", "Deployments that selectors find, as declared, none started: files, or folders of them")
	f.StringVar(&o.input, "input", "", "decide on the document in this file; - reads standard input")
	f.StringVar(&o.prometheus, "prometheus", "", "base URL of the Prometheus server for sensors that name none")
	f.StringVar(&o.mlflow, "mlflow", "", "base URL of the MLflow tracking server for sensors that name none; absent: $MLFLOW_TRACKING_URI")
	f.StringVar(&o.explain, "explain", "", "with --input: write the trace of this strategy to standard error")
	f.DurationVar(&o.over, "over", 2*time.Second, "how far apart two samples are taken, where a sensor computes a rate or a quantile from them")
	return confined(confinedMemory, c)
}

// sampleTimeout bounds the sampling of all sensors; each sensor also has its own deadline.
const sampleTimeout = 2 * time.Minute

// evalOutput is the JSON that eval prints for one target.
type evalOutput struct {
	Document  json.RawMessage   `json:"document"`
	Decisions []engine.Decision `json:"decisions"`
	// Remembered are the values that strategies would remember and that differ from the
	// document's, by strategy.
	Remembered map[string]any `json:"remembered,omitempty"`
}

func eval(ctx context.Context, cmd *cobra.Command, o *evalFlags) error {
	if len(o.manifests) == 0 {
		return errNoManifests
	}
	if o.explain != "" && o.input == "" {
		return errors.New("--explain wants the document to explain: pass --input")
	}
	if o.input == manifest.Stdin && readsStdin(o.manifests) {
		return errors.New("-f and --input: both are standard input (-), which can be read once; write one of them to a file")
	}
	log, err := o.logs.logger()
	if err != nil {
		return err
	}
	agents, err := readAgents(cmd, o.manifests)
	if err != nil {
		return err
	}
	a, err := findAgent(agents, o.agent)
	if err != nil {
		return err
	}
	from, err := o.source()
	if err != nil {
		return err
	}
	store := policy.NewStore(func() (source.Source, error) { return from.Read(ctx) }, policy.StoreOptions{Log: log})
	if err := store.Load(ctx); err != nil {
		return err
	}
	confine.Doing("holding the agent and the policies against each other", verifyTimeout)
	if err := agentcheck.VerifyAmong([]*manifest.Agent{a}, agents, store.Live()); err != nil {
		return err
	}
	config := loop.Config{Policies: reportingPolicies{store}, Verbs: previewVerbs, Log: log}
	if o.explain != "" && !store.Live().Has(o.explain) {
		return fmt.Errorf("--explain: no strategy %q; there are %s", o.explain, strings.Join(store.Live().Strategies(), ", "))
	}
	if o.input != "" {
		return evalDocument(ctx, cmd, o, config, a, store.Live())
	}
	env := agentspec.Env{Prometheus: o.prometheus, MLflow: cmp.Or(o.mlflow, os.Getenv(mlflowVariable)), Preview: true, Lookbacks: sensors.NewLookbacks(), Log: log}
	if len(o.workloads) > 0 {
		workloads, err := orchestrator.Read(o.workloads...)
		if err != nil {
			return err
		}
		env.Orchestrator = orchestrator.Declared(workloads)
	}
	specs, err := agentspec.Build([]*manifest.Agent{a}, env)
	if err != nil {
		return err
	}
	over := time.Duration(0)
	if needsTwoSamples(a) {
		over = o.over
	}
	confine.Doing("sampling the agent's sensors", sampleTimeout+over)
	p, err := loop.PreviewFleet(ctx, config, specs[0], over)
	if err != nil {
		return err
	}
	if err := printUncovered(cmd.ErrOrStderr(), a, p.Documents); err != nil {
		return err
	}
	if err := printPreview(cmd, p, o.target); err != nil {
		return err
	}
	return malformedStatus(cmd, p, o.target)
}

// needsTwoSamples reports whether a sensor of the agent computes its value from two samples.
func needsTwoSamples(a *manifest.Agent) bool {
	for _, s := range a.Spec.Sensors {
		if c, is := s.Config.(*sensors.ScrapeConfig); is && c.NeedsTwoSamples() {
			return true
		}
	}
	return false
}

func evalDocument(ctx context.Context, cmd *cobra.Command, o *evalFlags, config loop.Config, a *manifest.Agent, rev *policy.Revision) error {
	raw, err := readInput(cmd.InOrStdin(), o.input)
	if err != nil {
		return err
	}
	doc, err := engine.ReadDocument(documentIn(raw))
	if err != nil {
		return fmt.Errorf("%s: %w", o.input, err)
	}
	spec, err := a.EngineSpec()
	if err != nil {
		return err
	}
	p, err := loop.PreviewDocument(ctx, config, spec, doc)
	if err != nil {
		return err
	}
	if err := printPreview(cmd, p, ""); err != nil {
		return err
	}
	status := malformedStatus(cmd, p, "")
	if o.explain == "" {
		return status
	}
	confine.Doing("explaining "+o.explain, evaluationTimeout)
	trace, err := rev.Explain(ctx, o.explain, doc.Input())
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintln(cmd.ErrOrStderr(), plot.Text(trace)); err != nil {
		return err
	}
	return status
}

// documentIn returns the document of what eval printed for one target, or the input as it is.
func documentIn(raw []byte) []byte {
	var printed struct {
		Document  json.RawMessage `json:"document"`
		Decisions json.RawMessage `json:"decisions"`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if d.Decode(&printed) == nil && printed.Document != nil && !d.More() {
		return printed.Document
	}
	return raw
}

func readInput(stdin io.Reader, file string) ([]byte, error) {
	if file == manifest.Stdin {
		confine.Doing(waitingForStdin, confinedTimeout)
		return io.ReadAll(stdin)
	}
	return os.ReadFile(file)
}

// printFaults prints one line for each problem, and for each signal that is not ok, whose
// reason the documents do not have.
func printFaults(w io.Writer, p loop.Preview, only string) {
	for _, problem := range p.Problems {
		_, _ = fmt.Fprintln(w, plot.Line("problem: "+problem))
	}
	for _, f := range p.Faults {
		if only != "" && only != f.Target.String() {
			continue
		}
		name := f.Signal
		if only == "" && len(p.Documents) > 1 {
			name += " of " + f.Target.String()
		}
		_, _ = fmt.Fprintln(w, plot.Line(fmt.Sprintf("signal %s: %s: %s", name, f.State, strings.ReplaceAll(f.Problem, "\n", "; "))))
	}
}

func printPreview(cmd *cobra.Command, p loop.Preview, only string) error {
	printFaults(cmd.ErrOrStderr(), p, only)
	if len(p.Documents) == 0 && only == "" {
		_, err := fmt.Fprintln(cmd.ErrOrStderr(), "the agent has no target: spec.targets finds nothing, so there is nothing to decide on")
		return err
	}
	outputs, err := evalOutputs(p, only)
	for i := range outputs {
		if err := writeJSON(cmd.OutOrStdout(), outputs[i]); err != nil {
			return err
		}
	}
	return err
}
