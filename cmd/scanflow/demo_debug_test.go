package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// demoReport runs a demo to its end, and reads the report, which is the last line.
func demoReport(t *testing.T, report any, args ...string) string {
	t.Helper()
	if mnist := os.Getenv("SCANFLOW_MNIST"); mnist != "" {
		args = append(args, "--digits", mnist)
	}
	c := command(t, append([]string{"demo", "--json"}, args...)...)
	var errs strings.Builder
	c.Stderr = &errs
	out, err := c.Output()
	lines := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	require.NoError(t, err, "%s\n%s", out, errs.String())
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), report), "the last line is the report:\n%s", out)
	return string(out)
}

type link struct {
	Agent, Primitive, Identity, Decision string
	Event                                *struct{ ID, Type string }
}

// S1, as a person runs it: the digits drift, and four agents win back what that cost,
// round after round. The exit status says that they did.
func TestDemoDrift(t *testing.T) {
	var r struct {
		Clean   float64 `json:"accuracy_clean"`
		Drifted float64 `json:"accuracy_drifted"`
		WonBack float64 `json:"won_back"`
		Held    bool
		Rounds  []struct {
			Round     int
			Version   string
			TrainSize int     `json:"train_size"`
			Before    float64 `json:"accuracy_before"`
			After     float64 `json:"accuracy_after"`
			Chain     []link
		}
	}
	text := demoReport(t, &r, "drift")
	require.True(t, r.Held)
	require.Greater(t, r.Clean-r.Drifted, 0.1, "the drift costs something")
	require.GreaterOrEqual(t, r.WonBack, 0.8)
	require.GreaterOrEqual(t, len(r.Rounds), 2)
	before, size := r.Drifted, 0
	for i, round := range r.Rounds {
		require.Equal(t, i+1, round.Round)
		require.Equal(t, before, round.Before, "it goes on from where it was")
		require.Greater(t, round.After, round.Before)
		require.Greater(t, round.TrainSize, size, "with more to learn from")
		before, size = round.After, round.TrainSize
		var steps []string
		for j, l := range round.Chain {
			steps = append(steps, l.Agent+" "+l.Primitive)
			require.NotEmpty(t, l.Decision)
			if l.Event != nil && j > 0 {
				require.True(t, strings.HasPrefix(l.Event.ID, round.Chain[j-1].Identity), "each answers the event that the one before sent")
			}
		}
		require.Equal(t, []string{
			"digits/tracker event.send", "digits/checker workflow.run", "digits/checker event.send", "digits/planner workflow.run",
			"digits/planner event.send", "digits/executor model.promote", "digits/planner model.serve",
		}, steps)
	}
	for _, heading := range []string{"training digits", "accuracy of what was answered", "What led to version 2", "It held:"} {
		require.Contains(t, text, heading)
	}
}

// A version that compares well and serves badly is rolled back, and stays away.
func TestDemoBadModel(t *testing.T) {
	var r struct {
		Good      string `json:"version_good"`
		Bad       string `json:"version_bad"`
		Intervals float64
		Held      bool
		Chain     []link
	}
	text := demoReport(t, &r, "bad-model")
	require.True(t, r.Held)
	require.Equal(t, []string{"1", "2"}, []string{r.Good, r.Bad})
	require.Positive(t, r.Intervals)
	require.LessOrEqual(t, r.Intervals, 2.0)
	var did []string
	for _, l := range r.Chain {
		did = append(did, l.Primitive)
	}
	require.Equal(t, []string{"event.send", "model.promote", "model.serve", "model.rollback", "model.serve"}, did)
	require.Contains(t, text, "It held:")
}
