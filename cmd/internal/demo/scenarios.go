package demo

import (
	"context"
	"fmt"
	"time"
)

// Scenario is a demo.
type Scenario struct {
	Name string
	// Shows describes what the demo shows, and Needs its requirements.
	Shows, Needs string
	// Next are commands and pages to continue with; DATA stands for the journal's folder.
	Next []string
	// Takes is the duration at speed 1, on the machine that it was measured on.
	Takes time.Duration
	// Held describes a successful run.
	Held string
	// MaxSpeed is the highest allowed speed.
	MaxSpeed float64
	// Keeps means that it can be left running, Clusters that it also runs on Kubernetes.
	Keeps, Clusters bool
	// ClusterOnly is why it can't run on this machine; "" if it can.
	ClusterOnly string
	Run         func(context.Context, Options) (report any, held bool, err error)
}

// Scenarios are all demos. The first is the default.
var Scenarios = []Scenario{
	{
		Name: "autoscale", Takes: 100 * time.Second, MaxSpeed: 4, Keeps: true,
		Shows: "A digit classifier, one process a replica, under a load that steps up, swings and falls, while an agent scales the replicas.",
		Held:  "latency stayed within its objective, and no request was lost",
		Needs: needsNothing, Next: []string{
			"scanflow decisions --data DATA   # what was decided, and why",
			"scanflow demo --keep             # leave it running, and edit the policies",
			"scanflow init first              # a policy repository of your own; docs/first-strategy.md has the session",
		},
		Run: func(ctx context.Context, o Options) (any, bool, error) {
			r, err := Autoscale(ctx, o)
			return r, r != nil && r.Held, err
		},
	},
	{
		Name: "drift", Takes: 80 * time.Second, MaxSpeed: 1, Clusters: true,
		Shows: "The digits drift and accuracy falls. Four agents notice, retrain, compare, promote and roll out, in rounds.",
		Held:  "each round raised accuracy on held-out drifted digits, and four fifths of the drift's cost was won back",
		Needs: needsNothing, Next: []string{
			"scanflow decisions --data DATA --verdict admitted   # what was done, and why",
			"docs/model-debugging.md                             # the same as daemons",
		},
		Run: func(ctx context.Context, o Options) (any, bool, error) {
			r, err := Drift(ctx, o)
			return r, r != nil && r.Held, err
		},
	},
	{
		Name: "bad-model", Takes: 60 * time.Second, MaxSpeed: 1, Clusters: true,
		Shows: "A version that compares well and serves badly is promoted, and rolled back.",
		Held:  "it was rolled back within two intervals, and never promoted again",
		Needs: needsNothing, Next: []string{
			"scanflow decisions --data DATA --verdict admitted   # what was done, and why",
			"docs/model-debugging.md                             # what keeps it from going wrong",
		},
		Run: func(ctx context.Context, o Options) (any, bool, error) {
			r, err := BadModel(ctx, o)
			return r, r != nil && r.Held, err
		},
	},
	{
		Name: "day", Takes: 6*time.Minute + 30*time.Second, MaxSpeed: 4, Clusters: true,
		Shows: "Both layers at once: digits drift twice under a day's load, four agents keep the model right while a fifth scales the same Deployment, and a replica is killed.",
		Held:  "each round raised accuracy, latency stayed within its objective, no request was lost but on the replica that died, the replicas followed the load, and no field was written by two agents",
		Needs: needsCores, Next: []string{
			"scanflow decisions --data DATA --verdict refused       # who was held back, by whom",
			"scanflow decisions --data DATA --agent digits/scaler   # one agent's day",
			"docs/operate.md#claims                                 # who holds what, and how long",
		},
		Run: func(ctx context.Context, o Options) (any, bool, error) {
			r, err := Day(ctx, o)
			return r, r != nil && r.Held, err
		},
	},
	{
		Name: "mlperf", Takes: 17 * time.Minute, MaxSpeed: 4, Clusters: true,
		Shows: "An image classifier under an MLPerf Server load (a step, a swing, bursts, a fall), twice on the same arrivals: scaled by an agent, and by the HorizontalPodAutoscaler's formula (on a cluster, by its controller).",
		Held:  "the agent's replicas met the bound again in half of the step's time, and were scaled down after the fall; the other figures are as they came",
		Needs: needsCores, Next: []string{
			"scanflow decisions --data DIR/scanflow/data   # the agent's own",
			"docs/case-studies.md                          # what it came to, and what it depends on",
			"docs/load.md                                  # the load generator by itself",
		},
		Run: func(ctx context.Context, o Options) (any, bool, error) {
			r, err := MLPerf(ctx, o)
			return r, r != nil && r.Held, err
		},
	},
	{
		Name: "reserve", Takes: 10 * time.Minute, MaxSpeed: 1, Clusters: true,
		ClusterOnly: "it is about a HorizontalPodAutoscaler that owns the replicas, and the controller of one is part of a cluster; without one, scanflow demo mlperf has an agent scale by itself",
		Shows:       "A HorizontalPodAutoscaler owns an image classifier's replicas, under a load that rises at a known time; twice on the same arrivals: the autoscaler alone, and with an agent that raises its bounds ahead of the rise and takes them back. A laptop has no such controller, so it runs on a cluster alone.",
		Held:        "fewer of the requests were over the bound with the agent than without, the bounds were raised before the rise and taken back after it, and the autoscaler alone wrote the replicas",
		Needs:       "the test cluster with its gateway, and two cores with nothing else on them", Next: []string{
			"scanflow decisions --data DIR/reserved/data --verdict admitted   # what the agent did, and when",
			"docs/serving.md#servingreserve                                   # the strategy",
			"docs/kubernetes.md#whose-field-is-it                             # who may write what",
		},
		Run: func(ctx context.Context, o Options) (any, bool, error) {
			r, err := Reserve(ctx, o)
			return r, r != nil && r.Held, err
		},
	},
	{
		Name: "interference", Takes: 5 * time.Minute, MaxSpeed: 2, Clusters: true,
		Shows: "Batch work lands on the online service's node, its p99 breaks, and an agent moves the batch work; then the same with the batch work placed apart from the start.",
		Held:  "p99 broke while they shared the node, was back within three intervals of the decision, and never broke in the second half",
		Needs: "two cores of this machine, one a node, and Linux", Next: []string{
			"scanflow decisions --data DIR/moved/data --verdict admitted   # what the agent did",
			"docs/case-studies.md                                          # what it came to, and what it depends on",
		},
		Run: func(ctx context.Context, o Options) (any, bool, error) {
			r, err := Interference(ctx, o)
			return r, r != nil && r.Held, err
		},
	},
	{
		Name: "failover", Takes: 5*time.Minute + 15*time.Second, MaxSpeed: 2, Clusters: true,
		Shows: "The primary model's replicas are killed and kept down; traffic goes to a lighter backup model and, in steps, back; then the primary flaps.",
		Held:  "all traffic was on the backup within two intervals of the loss, no request was lost after that, none on the way back, and traffic did not go back to a primary that flapped",
		Needs: needsCores, Next: []string{
			"scanflow decisions --data DATA --verdict admitted   # what the agents did",
			"docs/case-studies.md                                # what it came to, and what it depends on",
		},
		Run: func(ctx context.Context, o Options) (any, bool, error) {
			r, err := Failover(ctx, o)
			return r, r != nil && r.Held, err
		},
	},
}

const (
	needsNothing = "nothing but this program"
	needsCores   = "two cores of this machine, with nothing else on them"
)

// Find returns the scenario with a name.
func Find(name string) (*Scenario, bool) {
	for i := range Scenarios {
		if Scenarios[i].Name == name {
			return &Scenarios[i], true
		}
	}
	return nil, false
}

// Check returns the options that have no effect on this scenario, by flag.
func (s *Scenario) Check(o *Options) (mistakes []string) {
	if o.Speed < 1 || o.Speed > s.MaxSpeed {
		mistakes = append(mistakes, fmt.Sprintf("--speed: %s runs at %s, and %g was given", s.Name, speeds(s.MaxSpeed), o.Speed))
	}
	for _, flag := range []struct {
		given, takes bool
		name         string
	}{{o.Keep, s.Keeps, "--keep"}, {o.Kubernetes != nil, s.Clusters, "--kubernetes"}} {
		if flag.given && !flag.takes {
			mistakes = append(mistakes, fmt.Sprintf("%s: has no effect on %s; drop it", flag.name, s.Name))
		}
	}
	if s.ClusterOnly != "" && o.Kubernetes == nil {
		mistakes = append(mistakes, fmt.Sprintf("--kubernetes: %s wants it: %s. For a cluster, go run ./cmd/cluster up --gateway", s.Name, s.ClusterOnly))
	}
	return mistakes
}

func speeds(most float64) string {
	if most == 1 {
		return "1 alone: its processes start no faster"
	}
	return fmt.Sprintf("1 to %g", most)
}
