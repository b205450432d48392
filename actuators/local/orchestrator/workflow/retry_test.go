package workflow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestRetryStrategyNext(t *testing.T) {
	began := time.Unix(1000, 0)
	n := func(s string) *intstr.IntOrString { v := intstr.Parse(s); return &v }
	one := func(p Phase, lost bool) *attempt {
		return &attempt{Phase: p, Lost: lost, StartedAt: began, FinishedAt: began.Add(time.Second)}
	}
	failed, broken, lost := one(Failed, false), one(Error, false), one(Error, true)
	never := &attempt{Phase: Error, NeverStarted: true, FinishedAt: began.Add(time.Second)}
	limit := func(policy string) *RetryStrategy { return &RetryStrategy{Limit: n("2"), RetryPolicy: policy} }
	backoff := func(b Backoff) *RetryStrategy { return &RetryStrategy{Limit: n("9"), Backoff: &b} }
	for name, row := range map[string]struct {
		strategy *RetryStrategy
		attempts []*attempt
		again    bool
		wait     time.Duration
		why      string
	}{
		"no strategy":                         {nil, []*attempt{failed}, false, 0, ""},
		"no strategy, lost":                   {nil, []*attempt{lost}, true, 0, ""},
		"no strategy, lost twice":             {nil, []*attempt{lost, lost}, false, 0, ""},
		"failed":                              {limit(""), []*attempt{failed}, true, 0, ""},
		"failed too often":                    {limit(""), []*attempt{failed, failed, failed}, false, 0, "no more retries left"},
		"an error is not retried by default":  {limit(""), []*attempt{broken}, false, 0, ""},
		"an error, Always":                    {limit("Always"), []*attempt{failed, broken}, true, 0, ""},
		"a failure, OnError":                  {limit("OnError"), []*attempt{failed}, false, 0, ""},
		"an error, OnError":                   {limit("OnError"), []*attempt{broken}, true, 0, ""},
		"lost, which counts for none":         {limit(""), []*attempt{failed, failed, failed, lost}, true, 0, ""},
		"lost first, then as often as it may": {limit(""), []*attempt{lost, failed, failed}, true, 0, ""},
		"lost first, then too often":          {limit(""), []*attempt{lost, failed, failed, failed}, false, 0, "no more retries left"},
		"never begun, which counts for none":  {limit(""), []*attempt{never, failed, failed, failed, never}, true, 0, ""},
		"never begun, and then too often":     {limit(""), []*attempt{never, failed, failed, failed}, false, 0, "no more retries left"},
		"no strategy, never begun":            {nil, []*attempt{never, never}, true, 0, ""},
		"back-off":                            {backoff(Backoff{Duration: "10", Factor: n("3")}), []*attempt{failed}, true, 10 * time.Second, ""},
		"back-off grows":                      {backoff(Backoff{Duration: "10", Factor: n("3")}), []*attempt{failed, failed, failed}, true, 90 * time.Second, ""},
		"back-off without a factor":           {backoff(Backoff{Duration: "1m"}), []*attempt{failed, failed, failed}, true, time.Minute, ""},
		"back-off with a cap":                 {backoff(Backoff{Duration: "10", Factor: n("3"), Cap: "1m"}), []*attempt{failed, failed, failed}, true, time.Minute, ""},
		"within maxDuration":                  {backoff(Backoff{Duration: "5", MaxDuration: "6"}), []*attempt{failed}, true, 5 * time.Second, ""},
		"beyond maxDuration":                  {backoff(Backoff{Duration: "5", MaxDuration: "5s"}), []*attempt{failed}, false, 0, "the next attempt would come after maxDuration"},
	} {
		t.Run(name, func(t *testing.T) {
			retry, at, why := row.strategy.next(row.attempts)
			require.Equal(t, row.again, retry)
			require.Equal(t, row.why, why)
			if retry {
				require.Equal(t, row.wait, at.Sub(began.Add(time.Second)))
			}
		})
	}
	huge := &Backoff{Duration: "1h", Factor: n("2000000000")}
	require.Equal(t, maxRetryWait, huge.wait(50), "no overflow")
}
