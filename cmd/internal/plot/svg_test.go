package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// several is a load test: two lines in each panel, a gap, an objective, phases.
func several() Chart {
	var offered, answered, p50, p99, errs []Point
	for s := range 121 {
		at := time.Duration(s) * time.Second
		rate := 40 + 30*math.Sin(float64(s)/14) + float64(s*7%5)
		offered = append(offered, Point{at, rate})
		answered = append(answered, Point{at, min(rate, 52)})
		slow := 40 + max(0, rate-48)*14
		if s > 60 && s < 70 {
			slow = math.NaN()
		}
		p50, p99 = append(p50, Point{at, slow / 2}), append(p99, Point{at, slow})
		errs = append(errs, Point{at, float64(max(0, s%40-36))})
	}
	return Chart{
		Marks: []Mark{{0, "warm-up"}, {20 * time.Second, "rise"}, {25 * time.Second, "a change that has a long name"}, {50 * time.Second, "fall & <rest>"}, {118 * time.Second, "end"}},
		Panels: []Panel{
			{Title: "requests", Unit: "1/s", Lines: []Series{{Name: "offered", Points: offered}, {Name: "answered", Points: answered}}},
			{Title: "latency", Unit: "ms", Objective: 250, Top: 400, Lines: []Series{{Name: "p50", Points: p50}, {Name: "p99", Points: p99}}},
			{Title: "errors", Unit: "1/s", Height: 3, Lines: []Series{{Points: errs, Step: true, Color: Red}}},
		},
	}
}

func svgOf(t *testing.T, c Chart) string {
	var b bytes.Buffer
	require.NoError(t, c.SVG(&b))
	return b.String()
}

// texts are the words that a reader can select, in order.
func texts(t *testing.T, svg string) []string {
	var all []string
	d := xml.NewDecoder(strings.NewReader(svg))
	for inside := false; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			inside = token.Name.Local == "text"
		case xml.EndElement:
			inside = false
		case xml.CharData:
			if inside {
				all = append(all, string(token))
			}
		}
	}
}

func TestSVG(t *testing.T) {
	for name, c := range map[string]Chart{"svg-demo": demo(), "svg-several": several()} {
		t.Run(name, func(t *testing.T) {
			text := svgOf(t, c)
			golden(t, name, text)
			require.Equal(t, text, svgOf(t, c), "the same chart gives the same bytes")
			require.NotContains(t, text, "@font-face")
		})
	}
	all := texts(t, svgOf(t, several()))
	for _, want := range []string{"requests (1/s)", "offered", "answered", "p50", "p99", "objective", "250 ms", "0s", "1m", "2m", "rise", "a change that has a long name", "fall & <rest>", "end", "errors (1/s)"} {
		require.Contains(t, all, want)
	}
}

func TestSVGOfLittle(t *testing.T) {
	second := time.Second
	for name, c := range map[string]Chart{
		"no panel":         {},
		"no line":          {Panels: []Panel{{Title: "nothing"}}},
		"no point":         {Panels: []Panel{{Lines: []Series{{}, {}}}}},
		"one point":        {Panels: []Panel{{Lines: []Series{{Points: []Point{{second, 3}}}}}}},
		"nothing but gaps": {Panels: []Panel{{Lines: []Series{{Points: []Point{{0, math.NaN()}, {second, math.NaN()}}}}}}},
		"infinite":         {Panels: []Panel{{Lines: []Series{{Points: []Point{{0, math.Inf(1)}, {second, math.Inf(-1)}}}}}}},
		"odd colour":       {Panels: []Panel{{Lines: []Series{{Color: 99}}}}},
		"control bytes":    {Panels: []Panel{{Title: "a\x1b[31m\nb\x00", Unit: "\xff"}}, Marks: []Mark{{0, "\x07bell"}, {second, strings.Repeat("wide ", 200)}}},
	} {
		t.Run(name, func(t *testing.T) {
			text := svgOf(t, c)
			texts(t, text) // it is XML
			require.NotContains(t, text, "NaN")
			require.NotContains(t, text, "Inf")
		})
	}
}

func TestSVGSaysWhatCannotBeWritten(t *testing.T) {
	require.ErrorContains(t, demo().SVG(full{}), "no space")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

// TestGapsAndSteps reads back where a line is drawn.
func TestGapsAndSteps(t *testing.T) {
	s := time.Second
	nan := math.NaN()
	gap := Series{Points: []Point{{0, 1}, {s, 2}, {2 * s, nan}, {3 * s, 30}}}
	require.Equal(t, [][]Point{{{0, 1}, {s, 2}}, {{3 * s, 10}}}, gap.runs(10, 4*s))
	gap.Step = true
	require.Equal(t, [][]Point{{{0, 1}, {s, 1}, {s, 2}}, {{3 * s, 10}, {4 * s, 10}}}, gap.runs(10, 4*s))
}

func TestPageColoursAreReadableOnWhite(t *testing.T) {
	linear := func(v uint8) float64 {
		c := float64(v) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	for i, c := range pageColors {
		luminance := 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
		require.GreaterOrEqualf(t, 1.05/(luminance+0.05), 3.0, "colour %d", i)
	}
}

func TestSeveralLinesInATerminal(t *testing.T) {
	c := several()
	plain := c.String()
	golden(t, "chart-several", plain)
	c.Color = true
	require.Contains(t, c.String(), "\x1b[36m⠤⠤⠤ offered\x1b[0m")
}
