package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

const (
	// interferenceRate is the number of images per second: half of what 0.6 of a core can
	// answer, and more than a fifth of a core can, which is the share next to four busy
	// threads.
	interferenceRate = 10
	// interferenceBound is the p99 latency that the online service promises. The agent's
	// manifest has the same value.
	interferenceBound = 400 * time.Millisecond
	// interferenceInterval is the interval of the agent.
	interferenceInterval = 10 * time.Second
)

// interferencePlan has the times of the events of a half, since its load began.
type interferencePlan struct{ submit, end time.Duration }

func newInterferencePlan(o *Options) interferencePlan {
	return interferencePlan{submit: o.scaled(40 * time.Second), end: o.scaled(140 * time.Second)}
}

// The halves of the study.
const (
	halfMoved = "moved"
	halfApart = "apart"
)

// Interference runs S3: batch work starts on the online service's node and is moved. In the
// second half it is placed on another node from the start.
func Interference(ctx context.Context, o Options) (report *InterferenceReport, err error) {
	s := &screen{out: o.Out, color: plot.Colorful(o.Out, os.Getenv)}
	nodes, err := twoNodes()
	if err != nil && o.Kubernetes == nil {
		return nil, err
	}
	tidy, err := o.prepare(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tidy()) }()
	report = newInterferenceReport(&o)
	for _, half := range []string{halfMoved, halfApart} {
		ran, err := runInterferenceHalf(ctx, &o, s, half, nodes)
		if err != nil {
			return nil, err
		}
		report.Halves = append(report.Halves, ran)
	}
	report.judge()
	s.printf("\n%s", report.text(&o, s))
	return report, o.savePlot(s, report.chart(&o, s))
}

// twoNodes are the study's nodes, with one core of this machine each.
func twoNodes() ([]orchestrator.Node, error) {
	cores, err := pod.UsableCores()
	if err != nil {
		return nil, err
	}
	if len(cores) < 2 {
		return nil, fmt.Errorf("this needs two cores, one a node, and the process may use %d", len(cores))
	}
	return []orchestrator.Node{{Name: "node-1", Cores: cores[:1]}, {Name: "node-2", Cores: cores[1:2]}}, nil
}

func interferenceStudy(o *Options, half string, nodes []orchestrator.Node) *study {
	return &study{
		name: "interference", services: []string{"classifier"}, route: "classifier", nodes: nodes, pace: studyPace(o),
		fill: func(raw []byte) []byte { return setParam(raw, "from_the_start", fmt.Sprint(half == halfApart)) },
	}
}

// runInterferenceHalf submits the batch work while the online service is under a steady load.
func runInterferenceHalf(ctx context.Context, o *Options, s *screen, half string, nodes []orchestrator.Node) (_ *InterferenceHalf, err error) {
	s.printf("\n%s", s.title(map[string]string{
		halfMoved: "First half: batch work lands on the online service's node", halfApart: "Second half: the same batch work, placed apart before it begins",
	}[half]))
	tb, err := openTestbed(ctx, o, s, interferenceStudy(o, half, nodes), filepath.Join(o.Dir, half))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tb.close(ctx)) }()
	plan := newInterferencePlan(o)
	halfCtx, over := context.WithCancel(ctx)
	defer over()
	var tasks sync.WaitGroup
	var submitted error
	started := make(chan time.Time, 1)
	batch := &batchPlacement{}
	tasks.Go(func() {
		select {
		case start := <-started:
			if !waitUntil(halfCtx, start.Add(plan.submit)) {
				return
			}
			s.printf("  %s  %s", s.clock(time.Now()), s.title("an Offline run of four threads is submitted"))
			submitted = tb.platform.submit(halfCtx, tb.study.name, "offline")
			batch.follow(halfCtx, tb, start)
		case <-halfCtx.Done():
		}
	})
	result, err := tb.runLoad(ctx, []load.Phase{{Name: "steady", Duration: plan.end, Rate: interferenceRate}}, started)
	over()
	tasks.Wait()
	if err := errors.Join(err, submitted); err != nil {
		return nil, err
	}
	return newInterferenceHalf(o, tb, half, plan, batch, result), nil
}

// batchPlacement records where the batch work ran.
type batchPlacement struct {
	mu    sync.Mutex
	nodes []nodeChange
}

// nodeChange is a change of the batch work's node. shared means that the online service was
// there.
type nodeChange struct {
	at     time.Duration
	node   string
	shared bool
}

// follow records each change until the context ends.
func (b *batchPlacement) follow(ctx context.Context, tb *testbed, start time.Time) {
	read, release, err := tb.platform.orchestrator().Pods(map[string]string{"app.kubernetes.io/component": "batch"})
	if err != nil { // never: the label is valid
		tb.screen.printf("  %s", tb.screen.alarm(err.Error()))
		return
	}
	defer release()
	for {
		now := nodeChange{}
		// After an error, the next read may succeed.
		_ = read(ctx, []string{tb.study.name}, func(_, _, on string) { now.node = on })
		if w, known := tb.platform.orchestrator().Workload(tb.study.id("classifier")); known {
			for _, p := range w.Pods {
				now.shared = now.shared || p.Node == now.node && now.node != ""
			}
		}
		b.mu.Lock()
		last := nodeChange{}
		if n := len(b.nodes); n > 0 {
			last = b.nodes[n-1]
		}
		if last.node != now.node || last.shared != now.shared {
			if now.node != "" && last.node != now.node {
				tb.screen.printf("  %s  the batch work runs on %s", tb.screen.clock(time.Now()), now.node)
			}
			now.at = time.Since(start)
			b.nodes = append(b.nodes, now)
		}
		b.mu.Unlock()
		if !waitUntil(ctx, time.Now().Add(pollInterval)) {
			return
		}
	}
}
