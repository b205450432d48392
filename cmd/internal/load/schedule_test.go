package load

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseSchedule(t *testing.T) {
	s, m := time.Second, time.Minute
	got, err := ParseSchedule("warm=30s@20, 1m@20..80 ,swing=2m@sine:20..60/30s,2m@square:1..0.5/10s,day=10m@day:2..40,10m@day:2..40/5m,quiet=1s@0")
	require.NoError(t, err)
	require.Equal(t, []Phase{
		{Name: "warm", Duration: 30 * s, Rate: 20},
		{Name: "2", Duration: m, Rate: 20, To: 80, Shape: Ramp},
		{Name: "swing", Duration: 2 * m, Rate: 20, To: 60, Shape: Sine, Period: 30 * s},
		{Name: "4", Duration: 2 * m, Rate: 1, To: 0.5, Shape: Square, Period: 10 * s},
		{Name: "day", Duration: 10 * m, Rate: 2, To: 40, Shape: Day, Period: 10 * m},
		{Name: "6", Duration: 10 * m, Rate: 2, To: 40, Shape: Day, Period: 5 * m},
		{Name: "quiet", Duration: s},
	}, got)

	for text, want := range map[string]string{
		"":                   `phase 1, "": it has no @`,
		"20":                 "it has no @; write DURATION@RATE",
		"1m@20,":             `phase 2, "": it has no @`,
		"60@20":              `"60" is no duration`,
		"1m@x":               `rate: "x" is not a number`,
		"1m@-5":              `rate: "-5" is not a number`,
		"1m@1e7":             "1e+07 is not between 0 and 1e+06",
		"0s@5":               "duration: 0s is not above 0",
		"-1s@5":              "duration: -1s is not above 0",
		"1m@zigzag:1..2/1s":  `"zigzag" is none of sine, square, day`,
		"1m@sine:5/1s":       "sine takes two rates",
		"1m@sine:1..5":       "period: 0s is not above 0",
		"1m@sine:1..5/x":     `"x" is no duration`,
		"1m@5/1s":            "a period (/) goes with sine",
		"1m@1..y":            `rate: "y"`,
		"1m@1..2..3":         `rate: "2..3"`,
		"1m@x,60@2,1m@5,1m@": "phase 4",
	} {
		_, err := ParseSchedule(text)
		require.ErrorContainsf(t, err, want, "%q", text)
	}
}
