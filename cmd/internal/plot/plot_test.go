package plot

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	path := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(want), got))
}

// demo is a run as the demo shows it: load steps up, replicas follow, latency recovers.
func demo() Chart {
	var load, replicas, p99 []Point
	for s := range 91 {
		at := time.Duration(s) * time.Second
		rate := 20.0 + float64(s*7%5)
		count, ms := 1.0, 60.0+float64(s*11%7)
		switch {
		case s >= 75:
			rate -= 5
			count = 4 - float64((s-75)/5)
		case s >= 40:
			rate = 60 + 25*math.Sin(float64(s-40)/4)
			count = 4
		case s >= 15:
			rate += 60
			count = min(4, 1+float64((s-15)/3))
			ms += max(0, 700-float64((s-15)*(s-30)*(s-30)))*float64(min(s-14, 6))/6*0.9 - float64(max(0, s-26))*1.2
		}
		load = append(load, Point{at, rate})
		replicas = append(replicas, Point{at, count})
		p99 = append(p99, Point{at, ms})
	}
	return Chart{
		Marks: []Mark{{0, "warm-up"}, {15 * time.Second, "step up"}, {40 * time.Second, "swing"}, {75 * time.Second, "down"}},
		Panels: []Panel{
			{Title: "load", Unit: "req/s", Lines: []Series{{Points: load, Color: Cyan}}},
			{Title: "replicas", Height: 3, Lines: []Series{{Points: replicas, Step: true, Color: Green}}},
			{Title: "p99", Unit: "ms", Objective: 250, Top: 500, Lines: []Series{{Points: p99, Color: Yellow}}},
		},
	}
}

func TestChart(t *testing.T) {
	for _, width := range []int{60, 90, 120} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			c := demo()
			c.Width = width
			plain := c.String()
			golden(t, fmt.Sprintf("chart-%d", width), plain)
			for _, line := range strings.Split(plain, "\n") {
				require.LessOrEqual(t, utf8.RuneCountInString(line), width)
				require.Equal(t, strings.TrimRight(line, " "), line)
			}
			c.Color = true
			colored := c.String()
			require.Contains(t, colored, "\x1b[36m")
			bare := regexp.MustCompile("\x1b\\[[0-9]*m").ReplaceAllString(colored, "")
			trimmed := regexp.MustCompile(`(?m) +$`).ReplaceAllString(bare, "")
			require.Empty(t, cmp.Diff(plain, trimmed), "colour changed the picture")
		})
	}
}

func TestChartOfLittle(t *testing.T) {
	nan := math.NaN()
	golden(t, "chart-little", Chart{Width: 50, Panels: []Panel{
		{Title: "nothing", Height: 2},
		{Title: "one point", Height: 2, Lines: []Series{{Points: []Point{{5 * time.Second, 3}}}}},
		{Title: "a gap", Height: 3, Lines: []Series{{Points: []Point{{0, 1}, {4 * time.Second, 1}, {5 * time.Second, nan}, {6 * time.Second, 2}, {10 * time.Second, 2}}}}},
		{Title: "an infinity and a negative", Height: 3, Top: 10, Lines: []Series{{Points: []Point{{0, math.Inf(1)}, {5 * time.Second, -4}, {10 * time.Second, 25}}}}},
	}}.String())
}

// TestDotsAreWhereTheValuesAre reads a drawn panel back.
func TestDotsAreWhereTheValuesAre(t *testing.T) {
	p := Panel{Height: 5, Top: 19}
	c := p.draw(&Series{Points: []Point{{0, 0}, {10 * time.Second, 19}}}, 10, 10*time.Second, 1)
	for x := range 20 {
		for y := range 20 {
			lit := c.dots[y/4*10+x/2]&brailleBits[y%4][x%2] != 0
			require.Equalf(t, y == 19-x, lit, "dot %d, %d", x, y)
		}
	}
	s := Panel{Height: 1, Top: 3}
	c = s.draw(&Series{Step: true, Points: []Point{{0, 3}, {5 * time.Second, 0}}}, 2, 10*time.Second, 1)
	first, _ := c.at(0, 0)
	second, _ := c.at(1, 0)
	require.Equal(t, "⠉⣇", string([]rune{first, second}), "held at 3 to the middle, then down, then held at 0")
}

func TestAxisNumbers(t *testing.T) {
	for _, c := range []struct {
		v     float64
		steps int
		want  float64
	}{{0, 2, 2}, {4, 1, 5}, {10, 2, 10}, {87.6, 2, 100}, {960, 2, 1000}, {262.5, 2, 400}, {0.03, 2, 0.04}, {101, 2, 200}, {450, 2, 500}} {
		require.InDeltaf(t, c.want, niceTop(c.v, c.steps), 1e-9, "%g", c.v)
	}
	for v, want := range map[float64]string{0: "0", 5: "5", 2.5: "2.5", 87.64: "87.6", 120.4: "120", 1280: "1,280", 1234567: "1,234,567", 0.25: "0.25", -4321: "-4,321"} {
		require.Equal(t, want, number(v))
	}
	for d, want := range map[time.Duration]string{0: "0s", 40 * time.Second: "40s", time.Minute: "1m", 90 * time.Second: "1m30s", 10 * time.Minute: "10m",
		time.Hour: "1h", 90 * time.Minute: "1h30m", 48 * time.Hour: "2d", 36 * time.Hour: "1d12h"} {
		require.Equal(t, want, timeLabel(d))
	}
	for span, want := range map[time.Duration]time.Duration{5 * time.Second: time.Second, 90 * time.Second: 15 * time.Second, 24 * time.Hour: 3 * time.Hour, 90 * 24 * time.Hour: 12 * 24 * time.Hour} {
		require.Equal(t, want, timeStep(span, 80), span)
	}
}

func TestMarksThatAreCloseTakeMoreLines(t *testing.T) {
	text := Chart{Width: 50, Span: time.Minute, Panels: []Panel{{Title: "x", Height: 2}}, Marks: []Mark{
		{0, "a rather long name"}, {5 * time.Second, "the next one"}, {10 * time.Second, "c"}, {59 * time.Second, "the end"},
		{30 * time.Second, strings.Repeat("wider than the chart ", 5)},
	}}.String()
	golden(t, "chart-marks", text)
	for _, name := range []string{"a rather long name", "┊the next one", "┊c", "┊the end"} {
		require.Contains(t, text, name)
	}
}

func TestTable(t *testing.T) {
	table := Table{
		Header: []string{"phase", "target req/s", "p99 ms", "held"},
		Right:  []bool{false, true, true, false},
		Rows:   [][]string{{"warm-up", "20", "61", "yes"}, {"step up", "1,280", "970", "no"}, {"größer", "5"}, {"", "", "", "", "beyond"}},
	}
	golden(t, "table", table.String())
	table.Color = true
	require.Contains(t, table.String(), "\x1b[36mphase")
	require.Empty(t, Table{}.String())
}

func TestProgressIsPlainLinesOffATerminal(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(&b, "training", func(string) string { return "" }, time.Now)
	for i := range 1001 {
		p.Update(i, 1000, fmt.Sprintf("%d", i))
	}
	p.Update(1000, 1000, "again")
	require.Equal(t, "training: 0%  0\ntraining: 25%  250\ntraining: 50%  500\ntraining: 75%  750\ntraining: 100%  1000\n", b.String())
}

func TestProgressOnATerminal(t *testing.T) {
	var b bytes.Buffer
	now := time.Unix(0, 0)
	p := &Progress{w: &b, label: "training", terminal: true, width: 60, now: func() time.Time { return now }, quarter: -1}
	p.Update(0, 224, "")
	p.Update(1, 224, "too soon to be drawn")
	now = now.Add(time.Second)
	p.Update(101, 224, "epoch 3 of 8, accuracy 0.9312, and more than there is room for")
	p.Update(224, 224, "done")
	require.Equal(t, []string{
		"",
		"training ░░░░░░░░░░░░░░░░░░░░░░░░░░░░   0%\x1b[K",
		"training ████████████▋░░░░░░░░░░░░░░░  45%  epoch 3 of 8, ac\x1b[K",
		"training ████████████████████████████ 100%  done\x1b[K\n",
	}, strings.Split(b.String(), "\r"))
}

func TestColourOnlyOnATerminal(t *testing.T) {
	none := func(string) string { return "" }
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	require.False(t, Colorful(file, none))
	require.False(t, Colorful(&bytes.Buffer{}, none))
	require.Equal(t, 90, Width(file))
	require.Equal(t, "x", Paint(true, Color(99), "x"))
}
