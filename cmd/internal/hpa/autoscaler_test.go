package hpa

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func running(values ...int64) []Pod {
	pods := make([]Pod, 0, len(values))
	for _, v := range values {
		pods = append(pods, Pod{Phase: Running, Measured: true, Milli: v})
	}
	return pods
}

// One sync of an autoscaler without a history: the documentation's rules one by one.
func TestOneSync(t *testing.T) {
	missing, pending := Pod{Phase: Running}, Pod{Phase: Pending}
	for name, c := range map[string]struct {
		replicas int
		pods     []Pod
		desired  int
		reason   Reason
	}{
		"at the target":                           {2, running(3000, 3000), 2, WithinRange},
		"within the tolerance":                    {2, running(3300, 3300), 2, WithinRange},
		"twice the target":                        {2, running(6000, 6000), 4, WithinRange},
		"rounded up":                              {2, running(4000, 4000), 3, WithinRange},
		"up by no more than the policies":         {2, running(30_000, 30_000), 6, UpLimited},
		"no more than max":                        {6, running(9000, 9000, 9000, 9000, 9000, 9000), 10, TooMany},
		"down, held by the first recommendation":  {4, running(600, 600, 600, 600), 4, DownStabilised},
		"a pending pod counts as 0 on the way up": {2, append(running(6000), pending), 2, WithinRange},
		"a missing value is 0 on the way up":      {2, append(running(6000), missing), 2, WithinRange},
		"a deleted pod's value does not count":    {2, append(running(3000), Pod{Phase: Running, Deleting: true, Measured: true, Milli: 90_000}), 2, WithinRange},
		"no value":                                {2, []Pod{missing, missing}, 2, MetricFailed},
		"no pod":                                  {2, nil, 2, MetricFailed},
		"someone has scaled to 0":                 {0, nil, 0, ScalingDisabled},
		"above max":                               {12, running(3000), 10, AboveMax},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := New(Spec{Min: 1, Max: 10, TargetMilli: 3000, Behavior: &Behavior{}})
			require.NoError(t, err)
			d := a.Sync(time.Unix(0, 0), c.replicas, c.pods)
			require.Equal(t, c.desired, d.Desired)
			require.Equal(t, c.reason, d.Reason)
		})
	}
}

// A fall is followed once the window has passed, and not before.
func TestWindowDown(t *testing.T) {
	window := time.Minute
	a, err := New(Spec{Min: 1, Max: 10, TargetMilli: 3000, Behavior: &Behavior{ScaleDown: Rules{Window: &window}}})
	require.NoError(t, err)
	var sizes []int
	replicas := 4
	for i := range 7 {
		d := a.Sync(time.Unix(int64(15*i), 0), replicas, running(600, 600, 600, 600))
		replicas = d.Desired
		sizes = append(sizes, replicas)
		if d.Desired == 1 {
			break
		}
	}
	require.Equal(t, []int{4, 4, 4, 4, 1}, sizes)
}

// A spec that the API server would refuse is refused, with every fault.
func TestSpecRefused(t *testing.T) {
	window, odd := 2*time.Hour, 1500*time.Millisecond
	for name, c := range map[string]struct {
		spec Spec
		says []string
	}{
		"bounds":   {Spec{Min: 0, Max: -1}, []string{"min: 0", "max: -1 is less than min", "target: 0"}},
		"window":   {Spec{Min: 1, Max: 2, TargetMilli: 1, Behavior: &Behavior{ScaleUp: Rules{Window: &window}, ScaleDown: Rules{Window: &odd}}}, []string{"scaleUp.window: 2h0m0s", "scaleDown.window: 1.5s"}},
		"policies": {Spec{Min: 1, Max: 2, TargetMilli: 1, Behavior: &Behavior{ScaleUp: Rules{Select: "max", Policies: []Policy{{}}}, ScaleDown: Rules{Policies: []Policy{}}}}, []string{`scaleUp.select: "max"`, "scaleUp.policies[0].value: 0", "scaleUp.policies[0].period: 0s", "scaleDown.policies: must have one or more"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(c.spec)
			for _, s := range c.says {
				require.ErrorContains(t, err, s)
			}
		})
	}
}
