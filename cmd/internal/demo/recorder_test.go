package demo

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

func stepLine(pairs ...float64) (out []plot.Point) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, plot.Point{At: time.Duration(pairs[i] * float64(time.Second)), Value: pairs[i+1]})
	}
	return out
}

func TestAreaIsReplicaSeconds(t *testing.T) {
	line := stepLine(0, 1, 10, 3, 20, 2)
	for name, row := range map[string]struct {
		from, to time.Duration
		want     float64
	}{
		"all":                 {0, 30 * time.Second, 10 + 30 + 20},
		"within one step":     {12 * time.Second, 14 * time.Second, 6},
		"over an edge":        {5 * time.Second, 15 * time.Second, 5 + 15},
		"nothing":             {4 * time.Second, 4 * time.Second, 0},
		"before the first":    {-5 * time.Second, 0, 0},
		"beyond the last":     {25 * time.Second, 35 * time.Second, 20},
		"the end comes first": {9 * time.Second, 3 * time.Second, 0},
	} {
		require.InDelta(t, row.want, area(line, row.from, row.to), 1e-9, name)
	}
	require.Zero(t, area(nil, 0, time.Minute))
}

func TestTurnsOfALine(t *testing.T) {
	for name, row := range map[string]struct {
		line []plot.Point
		want int
	}{
		"none":               {nil, 0},
		"steady":             {stepLine(0, 2), 0},
		"up":                 {stepLine(0, 1, 1, 3, 2, 4), 0},
		"up and down":        {stepLine(0, 1, 1, 3, 2, 2), 1},
		"up, rest, and up":   {stepLine(0, 1, 1, 3, 2, 3, 3, 4), 0},
		"up, rest, and down": {stepLine(0, 1, 1, 3, 2, 3, 3, 1), 1},
		"to and fro":         {stepLine(0, 1, 1, 2, 2, 1, 3, 2), 2},
	} {
		require.Equal(t, row.want, turnsOf(row.line), name)
	}
}

func TestValueAt(t *testing.T) {
	line := stepLine(1, 2, 3, 5)
	for at, want := range map[time.Duration]int{0: 0, time.Second: 2, 2 * time.Second: 2, 3 * time.Second: 5, time.Hour: 5} {
		require.Equal(t, want, valueAt(line, at), at)
	}
}

// What was before the load counts as its beginning, and nothing is lost on the way.
func TestTheRecorderBeginsAnew(t *testing.T) {
	r := newRecorder(time.Now().Add(-time.Minute))
	r.note(r.ready, "a", 1)
	r.note(r.ready, "a", 1)
	r.note(r.ready, "a", 2)
	require.Len(t, r.readyOf("a"), 2)
	r.restart(time.Now())
	require.Equal(t, []plot.Point{{Value: 2}}, r.readyOf("a"))
	r.note(r.ready, "a", 2)
	r.note(r.ready, "a", 3)
	require.Equal(t, 3, valueAt(r.readyOf("a"), time.Hour))
	require.Less(t, r.readyOf("a")[1].At, time.Second)
}

func TestSetParam(t *testing.T) {
	raw := "  params:\n    each: 3 # measured\n    each_other: 4\n"
	require.Equal(t, "  params:\n    each: 2.50\n    each_other: 4\n", string(setParam([]byte(raw), "each", "2.50")))
	require.Equal(t, raw, string(setParam([]byte(raw), "absent", "1")))
}
