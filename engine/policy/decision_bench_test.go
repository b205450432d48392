package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/freeport"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// Ten strategies of the kinds that the scenarios need (four rules each, written
// as the design asks: compared, not computed), over a document of about 3 KB.
// Three of them propose something on benchDocument.
const benchRules = `package scanflow.strategies.bench.s%[1]d

import data.scanflow.lib.load

# METADATA
# title: Grow with the load
propose contains {
	"primitive": "scale",
	"with": {"replicas": wanted},
	"priority": 10,
	"reason": "load_above_capacity",
	"because": ["rps", "ready"],
} if {
	input.params.enabled_%[1]d == true
	input.signals.ready.value > 0
	wanted := load.replicas(input.signals.rps, input.params.rps_per_replica)
	wanted > input.target.replicas.desired
}

# METADATA
# title: Move traffic from a slow model
propose contains {
	"primitive": "traffic",
	"with": {"primary": 0, "backup": 100},
	"reason": "primary_slow",
	"because": ["p99", "errors", "rps"],
} if {
	input.signals.errors.value > 0.01
	input.signals.p99.value > input.params.p99_worst
	not load.idle(input.signals.rps)
}

# METADATA
# title: Come back from the backup
propose contains {
	"primitive": "traffic",
	"with": {"primary": 100, "backup": 0},
	"reason": "primary_well",
	"because": ["p99", "ready"],
} if {
	input.target.model == "digits-backup"
	input.signals.p99.value < input.params.p99_limit
	input.signals.ready.value >= input.target.replicas.desired
}

# METADATA
# title: Restart what does not answer
propose contains {
	"primitive": "restart",
	"reason": "no_answer",
	"because": ["answers:empty", "ready"],
} if {
	input.signals.answers.state == "empty"
	input.signals.ready.value > 0
	every zone in ["a", "b"] {
		input.target.labels.zone != zone
	}
}
`

const benchLib = `package scanflow.lib.load

replicas(signal, per) := ceil(signal.value / per)

idle(signal) if signal.value < 1
`

func benchFiles() map[string]string {
	files := map[string]string{"lib/load.rego": benchLib}
	for i := range 10 {
		files[fmt.Sprintf("strategies/bench/s%d.rego", i)] = fmt.Sprintf(benchRules, i)
	}
	return files
}

func benchDocument() *engine.Document {
	doc := document(70)
	doc.Names = []string{"rps", "p99", "errors", "ready", "answers", "queue", "cpu", "memory"}
	doc.Signals = nil
	for i := range doc.Names {
		doc.Signals = append(doc.Signals, engine.Signal{State: engine.OK, Value: 70.5 / float64(i+1), At: noon.Add(-time.Second), Window: 30 * time.Second})
	}
	doc.Signals[1].Value, doc.Signals[2].Value = 0.121, 0.004
	doc.Signals[5].Value = map[string]any{"p50": 2.0, "p90": 5.0, "p99": 12.0}
	doc.Signals[4] = engine.Signal{State: engine.Stale, Last: 17.0, At: noon.Add(-time.Minute)}
	doc.Params = map[string]any{"rps_per_replica": 20.0, "p99_limit": 0.1, "p99_worst": 0.12}
	for i := range 10 {
		doc.Params[fmt.Sprintf("enabled_%d", i)] = i < 3
	}
	for i := range 18 {
		doc.Target.Labels[fmt.Sprintf("app.kubernetes.io/label-%d", i)] = "a value of some length"
	}
	doc.Target.Labels["zone"] = "c"
	doc.Target.Placement = []string{"node-1", "node-2"}
	doc.Memory = engine.Memory{}
	for i := range 6 {
		doc.Memory[fmt.Sprintf("bench.s%d", i)] = engine.StrategyMemory{Note: map[string]any{"since": 12.0},
			Last: map[string]engine.LastAct{"scale": {AtNS: noon.UnixNano(), Outcome: engine.Done, With: map[string]any{"replicas": 2.0}}}}
	}
	doc.Claims = []engine.Claim{{Name: "traffic", Agent: "mlperf/other", Strategy: "x", Verb: "traffic", State: "cooling"}}
	return doc
}

// pair times two ways of doing the same in turns, and gives the median of each
// and of their ratio: what slows the machine slows both.
type pair struct{ a, b []time.Duration }

func (p *pair) turn(a, b func()) {
	begun := time.Now()
	a()
	middle := time.Now()
	b()
	p.a, p.b = append(p.a, middle.Sub(begun)), append(p.b, time.Since(middle))
}

func median[T int64 | float64 | time.Duration](v []T) T {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

func (p *pair) ratio() float64 {
	r := make([]float64, len(p.a))
	for i := range p.a {
		r[i] = float64(p.a[i]) / float64(p.b[i])
	}
	return median(r)
}

func (p *pair) report(b *testing.B, nameA, nameB, ratio string, each int) {
	b.ReportMetric(float64(median(p.a))/float64(each), "ns/"+nameA)
	b.ReportMetric(float64(median(p.b))/float64(each), "ns/"+nameB)
	b.ReportMetric(p.ratio(), ratio)
	b.ReportMetric(0, "ns/op")
}

func BenchmarkDecision(b *testing.B) {
	ctx := context.Background()
	src := sourceOf(b, benchFiles())
	plain := stockQuery(b, src)
	silent := compiled(b, benchFiles(), Options{NoRules: true})
	told := compiled(b, benchFiles(), Options{})
	names := told.Strategies()
	doc := benchDocument()
	raw, err := json.Marshal(doc)
	require.NoError(b, err)
	require.InDelta(b, 3072, len(raw), 300)
	input, err := told.inputs.input(doc)
	require.NoError(b, err)
	require.Len(b, told.Evaluate(ctx, names, doc).Proposals, 3)

	opa := func() {
		if rs, err := plain.Eval(ctx, rego.EvalParsedInput(input)); err != nil || len(rs) != 1 {
			b.Error(rs, err)
		}
	}
	ours := func(rev *Revision, doc *engine.Document) func() {
		return func() {
			if got := rev.evaluate(ctx, names, doc, input); len(got.Proposals) != 3 || len(got.Problems) > 0 {
				b.Error(len(got.Proposals), got.Problems)
			}
		}
	}
	const each = 10
	times := func(f func()) func() {
		return func() {
			for range each {
				f()
			}
		}
	}
	b.Run("against-a-prepared-query/one-core", func(b *testing.B) {
		var p pair
		for b.Loop() {
			p.turn(times(ours(silent, doc)), times(opa))
		}
		p.report(b, "scanflow", "opa-ready", "ratio", each)
	})
	b.Run("against-a-prepared-query/all-cores", func(b *testing.B) {
		all := func(f func()) func() {
			return func() {
				var wg sync.WaitGroup
				for range runtime.GOMAXPROCS(0) {
					wg.Go(times(f))
				}
				wg.Wait()
			}
		}
		var p pair
		for b.Loop() {
			p.turn(all(ours(silent, doc)), all(opa))
		}
		p.report(b, "scanflow", "opa-ready", "ratio", each*runtime.GOMAXPROCS(0))
	})
	b.Run("rule-tracking", func(b *testing.B) {
		var p pair
		for b.Loop() {
			p.turn(times(ours(told, doc)), times(ours(silent, doc)))
		}
		p.report(b, "tracked", "untracked", "ratio", each)
	})
	b.Run("document-build", func(b *testing.B) {
		var p pair
		var reuse inputBuilder
		fresh := benchDocument()
		for b.Loop() {
			p.turn(times(func() {
				doc.Now = doc.Now.Add(time.Millisecond)
				_, _ = reuse.input(doc)
			}), times(func() {
				if _, err := ast.InterfaceToValue(fresh.Input()); err != nil {
					b.Error(err)
				}
			}))
		}
		p.report(b, "reused", "from-scratch", "ratio", each)
	})
	b.Run("deny", func(b *testing.B) {
		rev := compiled(b, with(benchFiles(), "g.rego", "package scanflow.guards.g\n\ndeny contains \"too_many\" if input.proposal.with.replicas > 50\n"), Options{})
		proposal := rev.Evaluate(ctx, names, doc).Proposals[0]
		for b.Loop() {
			rev.Review(ctx, doc, proposal)
		}
	})
}

// stockQuery uses OPA as a library, as a careful program would.
func stockQuery(b *testing.B, src source.Source) rego.PreparedEvalQuery {
	modules, mistakes := parse(unchecked(src))
	require.Empty(b, mistakes)
	c := ast.NewCompiler()
	c.Compile(modules)
	require.False(b, c.Failed(), c.Errors)
	var paths []string
	for i := range 10 {
		paths = append(paths, fmt.Sprintf("data.scanflow.strategies.bench.s%d.propose", i))
	}
	q, err := rego.New(rego.Compiler(c), rego.Store(inmem.New()), rego.Query("["+strings.Join(paths, ", ")+"]")).PrepareForEval(context.Background())
	require.NoError(b, err)
	return q
}

// BenchmarkAgainstServer compares whole decisions from the same Go values: the
// document built, evaluated and read back here; marshalled, sent over loopback,
// evaluated by stock `opa run --server` in a process of its own, and decoded
// there. Neither tells which rules fired.
func BenchmarkAgainstServer(b *testing.B) {
	ctx := context.Background()
	url := startServer(b, benchFiles())
	rev := compiled(b, benchFiles(), Options{NoRules: true})
	names := rev.Strategies()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()

	ask := func(doc *engine.Document) func() {
		return func() {
			doc.Now = doc.Now.Add(time.Millisecond)
			body, err := json.Marshal(map[string]any{"input": doc.Input()})
			if err != nil {
				b.Error(err)
				return
			}
			resp, err := client.Post(url+"/v1/data/scanflow/strategies/bench", "application/json", bytes.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			defer func() { _ = resp.Body.Close() }()
			var answer struct {
				Result map[string]struct{ Propose []map[string]any }
			}
			if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || len(answer.Result) != 10 || len(answer.Result["s0"].Propose) != 1 {
				b.Error(err, answer)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
		}
	}
	decide := func(doc *engine.Document) func() {
		return func() {
			doc.Now = doc.Now.Add(time.Millisecond)
			if got := rev.Evaluate(ctx, names, doc); len(got.Proposals) != 3 {
				b.Error(len(got.Proposals), got.Problems)
			}
		}
	}
	b.Run("quiet", func(b *testing.B) {
		const each = 20
		times := func(f func()) func() {
			return func() {
				for range each {
					f()
				}
			}
		}
		doc := benchDocument()
		var p pair
		for b.Loop() {
			p.turn(times(ask(doc)), times(decide(doc)))
		}
		p.report(b, "server", "scanflow", "x-faster", each)
	})
	b.Run("busy", func(b *testing.B) {
		const clients, each = 16, 8
		many := func(f func(*engine.Document) func()) func() {
			docs := make([]*engine.Document, clients)
			for i := range docs {
				docs[i] = benchDocument()
			}
			return func() {
				var wg sync.WaitGroup
				for _, doc := range docs {
					one := f(doc)
					wg.Go(func() {
						for range each {
							one()
						}
					})
				}
				wg.Wait()
			}
		}
		server, here := many(ask), many(decide)
		var p pair
		for b.Loop() {
			p.turn(server, here)
		}
		p.report(b, "server", "scanflow", "x-faster", clients*each)
	})
}

// startServer runs stock OPA as a server until the benchmark ends.
func startServer(b *testing.B, files map[string]string) string {
	dir := b.TempDir()
	write(b, dir, files)
	address := freeport.Reserve(b)
	c := exec.Command(os.Args[0], "run", "--server", "--addr", address, "--log-level", "error", "--skip-version-check", dir)
	c.Env = append(os.Environ(), actAsOPA+"=1")
	c.Stderr = os.Stderr
	require.NoError(b, c.Start())
	b.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	url := "http://" + address
	require.Eventually(b, func() bool {
		resp, err := http.Get(url + "/health")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, 30*time.Second, 20*time.Millisecond)
	return url
}
