package policy

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// Defect 5 of the published system: a broken rule module was swallowed, and the
// agent ran on without its rules. Here it is said aloud, and the old ones stay.
func TestDefect5_ABrokenModuleIsLoudAndTheOldOneStays(t *testing.T) {
	for name, c := range map[string]struct {
		edit []string // files and their text
		says string
	}{
		"a syntax error":           {[]string{"strategies/serving/autoscale.rego", autoscale + "\npropose contains {"}, "strategies/serving/autoscale.rego:22:18: rego_parse_error"},
		"a type error":             {[]string{"lib/load.rego", "package scanflow.lib.load\n\nreplicas(signal, per) := ceil(signal.value / per) + \"a\"\n"}, "lib/load.rego:3:26: rego_type_error"},
		"a failing test":           {[]string{"lib/load.rego", "package scanflow.lib.load\n\nreplicas(signal, per) := floor(signal.value / per)\n"}, `strategies/serving/autoscale_test.rego:5:1: test scanflow.strategies.serving.autoscale_test.test_grows fails for "two are needed"`},
		"a test that errs":         {[]string{"lib/load_test.rego", "package scanflow.lib.load_test\n\ntest_x if two == 1 with input as {\"x\": 1}\n\ntwo := 1\n\ntwo := 2 if input.x == 1\n"}, "test scanflow.lib.load_test.test_x ended in an error"},
		"a misnamed signal":        {[]string{"strategies/serving/autoscale.rego", strings.Replace(autoscale, `"because": ["rps"]`, `"because": ["requests"]`, 1)}, `reads signal "rps"`},
		"a library that is gone":   {[]string{"lib/load.rego", ""}, "rego_type_error: undefined function data.scanflow.lib.load.replicas"},
		"a built-in that is off":   {[]string{"lib/load.rego", lib + "\nnow := time.now_ns()\n"}, "read input.now_ns"},
		"a strategy that is gone":  {[]string{"strategies/serving/autoscale.rego", "", "strategies/serving/autoscale_test.rego", ""}, "the agent misses its strategy"},
		"an agent that objects":    {[]string{"another.rego", another}, "the agent wants no other"},
		"two mistakes, both named": {[]string{"a.rego", "package a if", "b.rego", "package b\n\nx := "}, "b.rego:3:"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files := with(basic(), ".manifest", "")
			write(t, dir, files)
			var log bytes.Buffer
			s := watched(t, dir, StoreOptions{
				Validate: func(r *Revision) error {
					if !r.Has("serving.autoscale") {
						return errors.New("the agent misses its strategy")
					}
					if r.Has("another") {
						return errors.New("the agent wants no other")
					}
					return nil
				},
				Log: hclog.New(&hclog.LoggerOptions{Output: &locked{w: &log}}),
			})
			good := s.Pin()
			for i := 0; i < len(c.edit); i += 2 {
				if c.edit[i+1] == "" {
					require.NoError(t, os.Remove(filepath.Join(dir, c.edit[i])))
				} else {
					write(t, dir, map[string]string{c.edit[i]: c.edit[i+1]})
				}
			}
			var status Status
			require.Eventually(t, func() bool {
				status = s.Status()
				return status.Err != nil && strings.Contains(status.Err.Error(), c.says)
			}, 10*time.Second, 5*time.Millisecond)
			require.Same(t, good, s.Pin())
			require.Equal(t, good.ID(), status.Revision)
			require.NotZero(t, status.Failures)
			require.Len(t, s.Pin().Evaluate(context.Background(), []string{"serving.autoscale"}, document(70)).Proposals, 1)

			require.ErrorContains(t, s.Load(context.Background()), c.says)
			for i := 0; i < len(c.edit); i += 2 {
				require.NoError(t, os.RemoveAll(filepath.Join(dir, c.edit[i])))
			}
			write(t, dir, files)
			require.Eventually(t, func() bool { return s.Status().Err == nil }, 10*time.Second, 5*time.Millisecond, "mended: %v", s.Status())
			require.Equal(t, good.ID(), s.Pin().ID())
		})
	}
}

// locked lets a test read a log that others write.
type locked struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func TestTestsThatDoNotEndAreStopped(t *testing.T) {
	files := with(basic(), "lib/load_test.rego", "package scanflow.lib.load_test\n\ntest_long if count([1 | some i in numbers.range(1, 5000); some j in numbers.range(1, 50000); i + j < 0]) > 0\n")
	begun := time.Now()
	_, err := Candidate(context.Background(), sourceOf(t, files), Options{TestTimeout: 200 * time.Millisecond})
	require.ErrorContains(t, err, "the tests did not end within 200ms")
	require.Less(t, time.Since(begun), 5*time.Second)
}

func TestBeforeTheFirstLoadNothingIsProposed(t *testing.T) {
	s := NewStore(source.FromPath(filepath.Join(t.TempDir(), "gone")), StoreOptions{})
	require.Error(t, s.Load(context.Background()))
	rev := s.Pin()
	require.Empty(t, rev.ID())
	require.Contains(t, problems(rev.Evaluate(context.Background(), []string{"x"}, document(1))), "have no strategy of this name")
	require.Empty(t, rev.Review(context.Background(), document(1), engine.Proposal{}).Denials)
	require.Equal(t, 1, s.Status().Failures)
}

func TestStatusTellsTheTimes(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, basic())
	clock := &heldClock{now: noon, timers: map[chan time.Time]time.Time{}}
	s := NewStore(source.FromPath(dir), StoreOptions{Clock: clock})
	require.NoError(t, s.Load(context.Background()))
	clock.forward(time.Minute)
	require.NoError(t, s.Load(context.Background()))
	write(t, dir, map[string]string{"bad.rego": "package"})
	clock.forward(time.Minute)
	require.Error(t, s.Load(context.Background()))
	got := s.Status()
	require.Equal(t, noon, got.Loaded)
	require.Equal(t, noon.Add(2*time.Minute), got.LastAttempt)
	require.Equal(t, 2, got.Successes)
	require.Equal(t, 1, got.Failures)
	require.ErrorAs(t, got.Err, new(mistake.Mistakes))
}

func TestEvaluateGoesOnWhilePoliciesAreSwapped(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, with(basic(), "another.rego", another, "g.rego", "package scanflow.guards.g\n\ndeny contains \"no\" if input.proposal.with.replicas > 3\n"))
	s := NewStore(source.FromPath(dir), StoreOptions{})
	require.NoError(t, s.Load(context.Background()))
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			doc := document(float64(70 + i))
			for !stop.Load() {
				rev := s.Pin()
				got := rev.Evaluate(context.Background(), []string{"serving.autoscale", "another"}, doc)
				if len(got.Proposals) != 2 || len(got.Problems) != 0 {
					t.Errorf("%v", got)
					return
				}
				if denials := rev.Review(context.Background(), doc, got.Proposals[1]).Denials; len(denials) != 1 {
					t.Errorf("%v", denials)
					return
				}
				doc.Now = doc.Now.Add(time.Second)
			}
		})
	}
	for i := range 5 {
		write(t, dir, map[string]string{"more.rego": "package scanflow.more\n\nn := " + string(rune('0'+i)) + "\n"})
		require.NoError(t, s.Load(context.Background()))
	}
	stop.Store(true)
	wg.Wait()
	require.Equal(t, 6, s.Status().Successes)
}
