package offline

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier"
)

func options(out *bytes.Buffer) Options {
	return Options{Model: classifier.Small, Seed: 1, Threads: 2, Samples: 30, Output: out, Every: 20 * time.Millisecond}
}

// lines are the JSON objects of an output.
func lines(t *testing.T, out *bytes.Buffer) []map[string]any {
	var all []map[string]any
	for _, text := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var one map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &one), text)
		all = append(all, one)
	}
	return all
}

func TestABatchIsWorked(t *testing.T) {
	var out bytes.Buffer
	r, err := Run(t.Context(), options(&out))
	require.NoError(t, err)
	require.Equal(t, 30, r.Samples)
	all := lines(t, &out)
	require.Greater(t, len(all), 2, "progress is told")
	for i, one := range all[:len(all)-1] {
		require.Equal(t, 30.0, one["of"])
		if i > 0 {
			require.GreaterOrEqual(t, one["done"], all[i-1]["done"])
		}
	}
	last := all[len(all)-1]
	require.Equal(t, "offline", last["scenario"])
	require.Equal(t, 30.0, last["samples"])
	require.Equal(t, 30.0, last["done"])
	require.Equal(t, true, last["scaled_down"])
	metric := last["metric"].(map[string]any)
	require.Equal(t, "samples_per_second", metric["name"])
	require.InEpsilon(t, 30/last["seconds"].(float64), metric["value"], 0.01)
}

func TestABatchGoesOnWhereItWasStopped(t *testing.T) {
	file := filepath.Join(t.TempDir(), "progress.json")
	total, runs := 0, 0
	for {
		require.Less(t, runs, 50)
		var out bytes.Buffer
		o := options(&out)
		o.Progress = file
		ctx, cancel := context.WithCancel(t.Context())
		before, err := o.load()
		require.NoError(t, err)
		o.Output = &stopper{before, cancel}
		r, err := Run(ctx, o)
		cancel()
		runs++
		total += r.Samples
		require.Equal(t, 30, r.Of)
		require.LessOrEqual(t, r.Done-before, r.Samples)
		saved, loadErr := o.load()
		require.NoError(t, loadErr)
		require.Equal(t, r.Done, saved)
		if err == nil {
			require.Equal(t, 30, r.Done)
			break
		}
		require.ErrorIs(t, err, context.Canceled)
		require.Less(t, r.Done, 30)
	}
	require.Greater(t, runs, 1)
	require.Less(t, total, 30+2*runs, "at most what two threads had in work is worked twice")
	var out bytes.Buffer
	o := options(&out)
	o.Progress = file
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Zero(t, r.Samples, "all is worked")
	left, err := filepath.Glob(filepath.Dir(file) + "/*")
	require.NoError(t, err)
	require.Equal(t, []string{file}, left, "no other file is left")
}

// stopper calls stop once a line says that ten more are done than before.
type stopper struct {
	before int
	stop   func()
}

func (s *stopper) Write(p []byte) (int, error) {
	var l line
	if err := json.Unmarshal(p, &l); err != nil {
		return 0, err
	}
	if l.Done >= s.before+10 {
		s.stop()
	}
	return len(p), nil
}

func TestProgressThatIsNotThisBatchs(t *testing.T) {
	for text, want := range map[string]string{
		"":          "does not hold the progress",
		"[1]":       "does not hold the progress",
		`{"done":1`: "does not hold the progress",
		`{"model":"small","seed":1,"samples":30,"done":31}`: "does not hold the progress",
		`{"model":"small","seed":1,"samples":30,"done":-1}`: "does not hold the progress",
		`{"model":"large","seed":1,"samples":30,"done":2}`:  "another batch (model large, seed 1, 30 samples)",
		`{"model":"small","seed":2,"samples":30,"done":2}`:  "another batch",
		`{"model":"small","seed":1,"samples":31,"done":2}`:  "another batch",
		strings.Repeat(" ", 5000):                           "too large|larger than",
	} {
		var out bytes.Buffer
		o := options(&out)
		o.Progress = filepath.Join(t.TempDir(), "progress")
		require.NoError(t, os.WriteFile(o.Progress, []byte(text), 0o600))
		_, err := Run(t.Context(), o)
		require.Error(t, err)
		require.Regexp(t, strings.NewReplacer("(", `\(`, ")", `\)`).Replace(want), err.Error())
		require.Contains(t, err.Error(), o.Progress)
		require.Empty(t, out.String())
	}
	o := options(new(bytes.Buffer))
	o.Progress = t.TempDir()
	_, err := Run(t.Context(), o)
	require.ErrorContains(t, err, "is not a regular file")
}

func TestAShareBindsAllThreads(t *testing.T) {
	var out bytes.Buffer
	o := options(&out)
	o.CPU, o.Threads, o.Samples = 300, 4, 30
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	t.Logf("%.3f of a core", r.CPUSeconds/r.Seconds)
	// Four layers may be in work when the share is used up; a period's share is there at once.
	require.LessOrEqual(t, r.CPUSeconds, 1.2*0.3*r.Seconds+0.03)
}

func TestRunRefuses(t *testing.T) {
	_, err := Run(t.Context(), Options{CPU: -1})
	for _, part := range []string{"no model", "threads: 0", "samples: 0", "cpu: -1"} {
		require.ErrorContains(t, err, part)
	}
}

// Samples end in any order: those without a gap before them count as done.
func TestTally(t *testing.T) {
	order := rand.New(rand.NewPCG(1, 1)).Perm(50)
	tally := newTally(0, 50)
	ended := map[int]bool{}
	for n, i := range order {
		_, more := tally.assign()
		require.True(t, more)
		tally.complete(i)
		ended[i] = true
		prefix, count := tally.done()
		require.Equal(t, n+1, count)
		for j := range prefix {
			require.True(t, ended[j])
		}
		require.False(t, ended[prefix])
	}
	_, more := tally.assign()
	require.False(t, more)
}

// A batch may take hours: that its progress has no place is said before.
func TestABatchWhoseProgressHasNoPlaceIsNotBegun(t *testing.T) {
	for _, file := range []string{"nosuch/progress", filepath.Join(os.DevNull, "progress")} {
		var out bytes.Buffer
		o := options(&out)
		o.Progress = file
		_, err := Run(t.Context(), o)
		require.ErrorContains(t, err, "progress: ")
		require.Empty(t, out.String(), "it was worked")
	}
}
