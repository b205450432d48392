package workflow

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A reader continues at its offset, also in the middle of a character.
func TestLogParts(t *testing.T) {
	r := newRunner(t, Options{})
	here := file(t, "here")
	submit(t, r, `
templates:
  - name: main
    dag: {tasks: [{name: loud, template: loud}, {name: after, template: loud, dependencies: [loud]}]}
  - name: loud
    container: `+shell(`printf 'gr\303'; touch `+here+`; until [ -e `+here+`.go ]; do sleep 0.01; done; printf '\274n\n'; head -c 1500000 /dev/zero | tr '\0' x; exit 3`))
	process(t, r, "loud", here)
	run := getRun(t, r)
	part, err := run.Log("loud", 0, 0)
	require.NoError(t, err)
	require.Equal(t, LogPart{Step: "loud", Attempt: 1, Attempts: 1, File: run.Steps[1].Attempts[0].Log, Text: "gr", Next: 2}, part, "half a character waits for the rest")
	require.Equal(t, []string{"loud"}, run.ActiveSteps())
	after, err := run.Log("after", 0, 0)
	require.NoError(t, err)
	require.Equal(t, LogPart{Step: "after"}, after)

	require.NoError(t, os.WriteFile(here+".go", nil, 0o600))
	run = waitEnded(t, r)
	require.Equal(t, []string{"loud"}, run.ActiveSteps(), "which failed")
	got := part.Text
	for pieces := 0; ; pieces++ {
		if part, err = run.Log("loud", 1, part.Next); err != nil || part.Text == "" {
			require.NoError(t, err)
			require.Equal(t, 2, pieces, "each is bounded")
			break
		}
		got += part.Text
	}
	require.Equal(t, "grün\n"+strings.Repeat("x", 1_500_000), got)
	require.True(t, part.Ended)
	require.True(t, part.Over)
	require.Contains(t, part.Message, "exit status 3")

	for step, want := range map[string]string{"main": "step main: there is no such step; these print: loud, after", "none": "step none: there is no such step"} {
		_, err = run.Log(step, 0, 0)
		require.ErrorIs(t, err, ErrUnknownStep)
		require.ErrorContains(t, err, want)
	}
	_, err = run.Log("loud", 2, 0)
	require.ErrorIs(t, err, ErrUnknownStep)
	require.ErrorContains(t, err, "it has 1 attempts")
	require.NoError(t, os.Remove(run.Steps[1].Attempts[0].Log))
	part, err = run.Log("loud", 1, 7)
	require.NoError(t, err, "its folder may have been removed meanwhile")
	require.EqualValues(t, 7, part.Next)
}
