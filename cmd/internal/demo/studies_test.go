package demo

import (
	"context"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// Short runs of the case studies, on this machine and on the test cluster. Latencies depend on
// the machine, so the tests check the acts and their order.

func TestFailoverOnALaptop(t *testing.T) { failover(t, shortForm(t, 5)) }

func failover(t *testing.T, o Options) {
	r, err := Failover(t.Context(), o)
	require.NoError(t, err)
	require.Positive(t, r.LostS, "the primary was lost")
	require.GreaterOrEqual(t, r.DecidedS, r.OutageS)
	require.Positive(t, r.OnBackupS)
	require.Zero(t, r.ErrorsAfter, "nothing is lost once everything goes to the backup")
	require.Positive(t, r.BackupReplicas, "the backup was ready when it got everything")
	require.Greater(t, r.BackupReplicasMax, 1, "the backup was sized")
	require.Greater(t, r.ReturnS, r.OnBackupS)
	require.Greater(t, r.ReturnedS, r.ReturnS, "in steps")
	require.Zero(t, r.ErrorsBack)
	require.Zero(t, r.FlapBack, "nothing goes back to a primary that flaps")
	var back []float64
	for _, a := range r.Acts {
		if share, is := backupShare(a); is && a.AtSeconds >= r.ReturnS && a.AtSeconds <= r.ReturnedS {
			back = append(back, share)
		}
	}
	require.Equal(t, []float64{75, 50, 0}, back)
	require.Equal(t, r.Held, len(r.Missed) == 0)
	requirePlot(t, o, "primary", "backup", "queries lost")
}

func TestInterferenceOnALaptop(t *testing.T) {
	if _, err := twoNodes(); err != nil {
		if runtime.GOOS == "linux" {
			require.NoError(t, err, "CI has two cores")
		}
		_, err := Interference(t.Context(), shortForm(t, 5))
		require.Error(t, err, "it says that it can't")
		return
	}
	interference(t, shortForm(t, 5))
}

func interference(t *testing.T, o Options) {
	r, err := Interference(t.Context(), o)
	require.NoError(t, err)
	require.Len(t, r.Halves, 2)
	moved, apart := r.Halves[0], r.Halves[1]
	require.Positive(t, moved.SharedS, "the batch work came to the online service's node")
	require.Greater(t, moved.DecidedS, moved.SharedS, "latency broke first")
	require.Greater(t, moved.ApartS, moved.SharedS, "and was moved")
	require.NotNil(t, moved.SharedP99)
	var placed []Act
	for _, a := range moved.Acts {
		if a.Primitive == "place" {
			placed = append(placed, a)
		}
	}
	require.NotEmpty(t, placed)
	require.Equal(t, true, placed[0].With["move"])
	require.Equal(t, "shares_its_node", placed[0].Reason)

	require.Zero(t, apart.SharedS, "placed apart from the start it never came there")
	require.Positive(t, apart.ApartS)
	require.NotEmpty(t, apart.Acts)
	require.Equal(t, "apart_from_the_start", apart.Acts[0].Reason)
	require.Less(t, apart.Acts[0].AtSeconds, apart.SubmitS)
	require.Equal(t, r.Held, len(r.Missed) == 0)
	requirePlot(t, o, "moved when it hurts", "apart from the start")
}

func TestMLPerfOnALaptop(t *testing.T) { mlperf(t, shortForm(t, 10)) }

func mlperf(t *testing.T, o Options) {
	r, err := MLPerf(t.Context(), o)
	require.NoError(t, err)
	require.Positive(t, r.Capacity)
	require.Len(t, r.Runs, 2)
	ours, theirs := r.Runs[0], r.Runs[1]
	require.Equal(t, ours.Queries, theirs.Queries, "the same arrivals")
	require.Positive(t, ours.Queries)
	for _, run := range r.Runs {
		require.Positive(t, run.ReplicaSeconds)
		require.Len(t, run.Phases, 5)
		most := 0
		for _, p := range run.Phases {
			most = max(most, p.MaxReplicas)
		}
		require.Greater(t, most, 1, "%s scaled", run.Scaler)
	}
	require.NotEmpty(t, ours.Acts)
	require.Empty(t, theirs.Acts, "no agent was there")
	require.Equal(t, r.Held, len(r.Missed) == 0)
	requirePlot(t, o, "replicas", "latency", "bursts")
}

// requirePlot requires words in the chart.
func requirePlot(t *testing.T, o Options, words ...string) {
	t.Helper()
	raw, err := os.ReadFile(o.Plot)
	require.NoError(t, err)
	for _, w := range words {
		require.Contains(t, string(raw), w)
	}
}

// An interrupted scenario leaves nothing running.
func TestAnInterruptedStudyEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := shortForm(t, 5)
	o.Out = after{"primary is killed", cancel}
	_, err := Failover(ctx, o)
	require.ErrorIs(t, err, context.Canceled)
}
