package policy

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const benchTests = `package scanflow.strategies.bench.s%[1]d_test

import data.scanflow.strategies.bench.s%[1]d as strategy

signals := {
	"rps": {"state": "ok", "value": 70}, "ready": {"state": "ok", "value": 1},
	"p99": {"state": "ok", "value": 0.05}, "errors": {"state": "ok", "value": 0},
	"answers": {"state": "ok", "value": 1},
}

doc := {
	"signals": signals,
	"params": {"enabled_%[1]d": true, "rps_per_replica": 20, "p99_limit": 0.1},
	"target": {"replicas": {"desired": 1}, "model": "digits", "labels": {"zone": "c"}},
}

test_grows if {
	some p in strategy.propose with input as doc
	p.with.replicas == 4
}

test_stays[note] if {
	some note, signal in {
		"little load": {"state": "ok", "value": 10},
		"no load": {"state": "ok", "value": 0},
		"not known": {"state": "empty"},
		"stale": {"state": "stale", "last": 70},
	}
	got := strategy.propose with input as doc with input.signals.rps as signal
	count(got) == 0
}

test_comes_back if {
	got := strategy.propose with input as doc with input.target.model as "digits-backup"
	some p in got
	p.reason == "primary_well"
}

test_restarts if {
	got := strategy.propose with input as doc with input.signals.answers as {"state": "empty"}
	some p in got
	p.primitive == "restart"
}
`

func fiftyFiles() map[string]string {
	files := map[string]string{"lib/load.rego": benchLib, "lib/more.rego": "package scanflow.lib.more\n\nn := 1\n"}
	for i := range 24 {
		files[fmt.Sprintf("strategies/bench/s%d.rego", i)] = fmt.Sprintf(benchRules, i)
		files[fmt.Sprintf("strategies/bench/s%d_test.rego", i)] = fmt.Sprintf(benchTests, i)
	}
	return files
}

// BenchmarkReload is the time from the edit of one file of 50 to the revision
// being live: 50 ms of waiting for quiet, reading, the start of a child, in which it is
// compiled, inspected and tested (96 tests, 168 with their rows), compiling, preparing,
// swapping.
func BenchmarkReload(b *testing.B) {
	dir := b.TempDir()
	files := fiftyFiles()
	require.Len(b, files, 50)
	write(b, dir, files)
	swapped := make(chan struct{}, 1)
	s := watched(b, dir, StoreOptions{Judge: NewJudge(JudgeOptions{}), OnSwap: func() { swapped <- struct{}{} }})
	file := filepath.Join(dir, "strategies", "bench", "s7.rego")
	<-swapped // the first load
	var took []time.Duration
	for n := 0; b.Loop(); n++ {
		before := s.Pin().ID()
		begun := time.Now()
		require.NoError(b, os.WriteFile(file+".tmp", fmt.Appendf(nil, "%s\n# edit %d\n", files["strategies/bench/s7.rego"], n), 0o644))
		require.NoError(b, os.Rename(file+".tmp", file))
		select {
		case <-swapped:
		case <-time.After(time.Minute):
			require.Fail(b, "the edit did not go live", "%+v", s.Status())
		}
		took = append(took, time.Since(begun))
		require.NotEqual(b, before, s.Pin().ID())
	}
	b.ReportMetric(float64(median(took).Microseconds())/1000, "ms/edit-to-live")
}

// BenchmarkCandidate is the part of it that is work.
func BenchmarkCandidate(b *testing.B) {
	src := sourceOf(b, fiftyFiles())
	for name, f := range map[string]func() error{
		"parse":           func() error { _, m := parse(unchecked(src)); return m.Err() },
		"compiled":        func() error { _, err := Compile(b.Context(), src, Options{}); return err },
		"compiled+tested": func() error { _, err := Candidate(b.Context(), src, Options{}); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, f())
			}
		})
	}
}
