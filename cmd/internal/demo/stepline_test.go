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
		require.InDelta(t, row.want, integrate(line, row.from, row.to), 1e-9, name)
	}
	require.Zero(t, integrate(nil, 0, time.Minute))
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
		require.Equal(t, row.want, countTurns(row.line), name)
	}
}

func TestValueAt(t *testing.T) {
	line := stepLine(1, 2, 3, 5)
	for at, want := range map[time.Duration]int{0: 0, time.Second: 2, 2 * time.Second: 2, 3 * time.Second: 5, time.Hour: 5} {
		require.Equal(t, want, valueAt(line, at), at)
	}
}

func TestReplicasBetween(t *testing.T) {
	at := func(s, v float64) plot.Point {
		return plot.Point{At: time.Duration(s * float64(time.Second)), Value: v}
	}
	points := []plot.Point{at(0, 1), at(12, 3), at(15, 4), at(30, 2), at(31, 1)}
	for _, row := range []struct {
		from, to                 time.Duration
		first, last, least, most int
	}{
		{0, 10 * time.Second, 1, 1, 1, 1},
		{10 * time.Second, 20 * time.Second, 1, 4, 1, 4},
		{20 * time.Second, 29 * time.Second, 4, 4, 4, 4},
		{20 * time.Second, 40 * time.Second, 4, 1, 1, 4},
	} {
		first, last, least, most := replicasBetween(points, row.from, row.to)
		require.Equal(t, []int{row.first, row.last, row.least, row.most}, []int{first, last, least, most}, "%s to %s", row.from, row.to)
	}
}
