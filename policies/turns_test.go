package policies

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/stretchr/testify/require"
)

// strategy is one that ships, ready to be asked.
func strategy(t *testing.T, name string) func(input map[string]any) []proposal {
	t.Helper()
	opts := []func(*rego.Rego){rego.Query("data.scanflow.strategies." + name + ".propose"), rego.StrictBuiltinErrors(true)}
	require.NoError(t, fs.WalkDir(FS, "scanflow", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".rego") || strings.HasSuffix(path, "_test.rego") {
			return err
		}
		text, err := FS.ReadFile(path)
		opts = append(opts, rego.Module(path, string(text)))
		return err
	}))
	query, err := rego.New(opts...).PrepareForEval(context.Background())
	require.NoError(t, err)
	return func(input map[string]any) []proposal {
		results, err := query.Eval(t.Context(), rego.EvalInput(input))
		require.NoError(t, err)
		text, err := json.Marshal(results[0].Expressions[0].Value)
		require.NoError(t, err)
		var out []proposal
		require.NoError(t, json.Unmarshal(text, &out))
		for i := range out {
			out[i].strategy = name
		}
		return out
	}
}

type proposal struct {
	With struct {
		Replicas *int
		Weights  map[string]int // a part of a percent is none
	}
	Priority int
	Reason   string
	Note     any

	strategy string
}

// first is the proposal that the arbiter leaves.
func first(all []proposal) (proposal, bool) {
	if len(all) == 0 {
		return proposal{}, false
	}
	return slices.MaxFunc(all, func(a, b proposal) int { return a.Priority - b.Priority }), true
}

func measured(value any) map[string]any { return map[string]any{"state": "ok", "value": value} }

const turnNS = 2_000_000_000

// pods is a Deployment whose replicas take three turns to be ready.
type pods struct {
	desired int
	ages    []int
}

func (p *pods) turn() {
	for i := range p.ages {
		p.ages[i]++
	}
	for len(p.ages) < p.desired {
		p.ages = append(p.ages, 0)
	}
	p.ages = p.ages[:p.desired]
}

func (p *pods) ready() (n int) {
	for _, age := range p.ages {
		if age >= 3 {
			n++
		}
	}
	return n
}

// Failover and standby side by side, for a load that stays and a primary and a backup that
// are lost and come back, while every other act on the route fails: they come to rest, and never leave
// traffic where no pod is ready while the other backend has one, but for the turn of an act
// that failed.
func TestFailoverAndStandbyComeToRest(t *testing.T) {
	failover, standby := strategy(t, "serving.failover"), strategy(t, "serving.standby")
	paces := map[string]map[string]any{
		"at once":  {},
		"by steps": {"back_steps": []any{10, 50}, "step_ns": 5 * turnNS, "healthy_ns": 10 * turnNS, "healthy_max_ns": 40 * turnNS},
	}
	for pace, params := range paces {
		for _, load := range []float64{30, 42, 150} {
			for _, left := range []int{1, 3, 8} { // of the primary, after its loss
				for _, most := range []int{1, 60} { // of the backup
					t.Run(fmt.Sprintf("%s, load %v, primary back to %d, backup up to %d", pace, load, left, most), func(t *testing.T) {
						primary := &pods{desired: 4, ages: []int{9, 9, 9, 9}}
						backup := &pods{desired: 1, ages: []int{9}}
						weights := map[string]int{"large": 100, "small": 0}
						memory, least, got := map[string]any{}, []int{4}, []float64{0}
						quietSince, why := 0, ""
						astray, acts := 0, 0
						for turn := range 190 {
							switch turn {
							case 5, 12:
								primary.ages = make([]int, len(primary.ages)) // crashed
							case 20:
								primary.desired = left
							case 70, 80:
								backup.ages = make([]int, len(backup.ages))
							}
							primary.turn()
							backup.turn()
							least = append(least, primary.ready())
							got = append(got, load*float64(weights["small"])/100)
							now := int64(turn+1000) * turnNS
							doc := map[string]any{"now_ns": now, "memory": memory, "signals": map[string]any{
								"ready_replicas": measured(primary.ready()), "ready_replicas_min": measured(slices.Min(last(least, 5))),
								"backup_ready_replicas": measured(backup.ready()), "requests_per_second": measured(load),
							}, "params": map[string]any{"route": "r", "primary": "large", "backup": "small", "primary_requests_per_second_per_replica": 10, "backup_requests_per_second_per_replica": 20}}
							maps.Copy(doc["params"].(map[string]any), params)
							if p, some := first(failover(doc)); some && !maps.Equal(p.With.Weights, weights) {
								quietSince, why = turn, p.Reason
								outcome := "failed"
								if acts++; acts%2 == 0 {
									weights, outcome = p.With.Weights, "done"
								}
								one := map[string]any{"last": map[string]any{"traffic": map[string]any{"at_ns": now, "outcome": outcome, "with": map[string]any{"weights": map[string]any{"large": p.With.Weights["large"], "small": p.With.Weights["small"]}}}}}
								if p.Note != nil {
									one["note"] = p.Note
								} else if was, ok := memory["serving.failover"].(map[string]any); ok {
									one["note"] = was["note"]
								}
								memory = map[string]any{"serving.failover": one}
							}
							if weights["small"] > 0 && backup.ready() == 0 && primary.ready() > 0 || weights["large"] > 0 && primary.ready() == 0 && backup.ready() > 0 {
								astray++
							} else {
								astray = 0
							}
							require.LessOrEqual(t, astray, 1, "turn %d: traffic goes where no pod is ready", turn)
							p, some := first(standby(map[string]any{"now_ns": now, "memory": map[string]any{}, "target": map[string]any{"replicas": map[string]any{"desired": backup.desired, "ready": backup.ready()}}, "signals": map[string]any{
								"primary_ready_replicas": measured(primary.ready()), "primary_ready_replicas_min": measured(slices.Min(last(least, 5))),
								"requests_per_second": measured(load), "backup_requests_per_second": measured(slices.Max(last(got, 8))),
							}, "params": map[string]any{"primary_requests_per_second_per_replica": 10, "backup_requests_per_second_per_replica": 20}}))
							if some {
								if size := min(*p.With.Replicas, most); size != backup.desired {
									backup.desired, quietSince, why = size, turn, p.Reason
								}
							}
						}
						require.Less(t, quietSince, 140, "it did not come to rest: %s", why)
					})
				}
			}
		}
	}
}

func last[T any](of []T, n int) []T { return of[max(0, len(of)-n):] }

// Autoscale and idle side by side, for every constant load: they come to rest.
func TestAutoscaleAndIdleComeToRest(t *testing.T) {
	autoscale, idle := strategy(t, "serving.autoscale"), strategy(t, "serving.idle")
	for _, byPeak := range []bool{false, true} {
		for _, load := range []float64{0, 0.01, 9.9, 10, 10.1, 35, 1e9} {
			for _, from := range []int{0, 1, 6} {
				for _, known := range []bool{true, false} { // whether arrivals are, until turn 60
					t.Run(fmt.Sprintf("load %v, from %d, by the peak: %v, arrivals known: %v", load, from, byPeak, known), func(t *testing.T) {
						desired, quietSince, why := from, 0, ""
						memory := map[string]any{}
						for turn := range 120 {
							now := int64(turn+1000) * turnNS
							arrivals := map[string]any{"state": "ok", "value": load * 60, "window": 20 * turnNS}
							if turn < 60 && !known {
								arrivals = map[string]any{"state": "stale", "last": 0, "window": 20 * turnNS}
							}
							doc := map[string]any{
								"now_ns": now, "memory": memory, "target": map[string]any{"replicas": map[string]any{"desired": desired, "ready": desired}},
								"signals": map[string]any{"requests_per_second": measured(load), "requests_per_second_peak": measured(load), "arrivals": arrivals},
								"params":  map[string]any{"requests_per_second_per_replica": 10, "scale_down_by_peak": byPeak, "allow_scale_to_zero": true, "idle_ns": 20 * turnNS},
							}
							p, some := first(append(autoscale(doc), idle(doc)...))
							if some && min(*p.With.Replicas, 6) != desired {
								desired, quietSince, why = min(*p.With.Replicas, 6), turn, p.Reason
								memory = map[string]any{p.strategy: map[string]any{"last": map[string]any{"scale": map[string]any{"at_ns": now, "outcome": "done"}}}}
							}
						}
						require.Less(t, quietSince, 90, "it did not come to rest: %s", why)
						require.Equal(t, load == 0, desired == 0)
					})
				}
			}
		}
	}
}

// A load that swings a little does not have the route written at each turn, wherever it
// swings: around what the backup carries, and around what both do.
func TestALoadThatSwingsALittleLeavesTheRoute(t *testing.T) {
	failover := strategy(t, "serving.failover")
	for _, around := range []float64{25, 30.5, 33, 36, 41, 45, 50, 55, 70, 90, 140} {
		for _, backup := range []int{1, 2, 3} {
			weights, memory, acts := map[string]int{"large": 100, "small": 0}, map[string]any{}, 0
			for turn := range 100 {
				now := int64(turn+1000) * turnNS
				swing := []float64{0.95, 1.03, 1, 0.97, 1.05, 0.99}[turn%6]
				p, some := first(failover(map[string]any{"now_ns": now, "memory": memory, "signals": map[string]any{
					"ready_replicas": measured(1), "ready_replicas_min": measured(1), "backup_ready_replicas": measured(backup), "requests_per_second": measured(around * swing),
				}, "params": map[string]any{"route": "r", "primary": "large", "backup": "small", "primary_requests_per_second_per_replica": 10, "backup_requests_per_second_per_replica": 20}}))
				if some && !maps.Equal(p.With.Weights, weights) {
					weights = p.With.Weights
					acts++
					memory = map[string]any{"serving.failover": map[string]any{"last": map[string]any{"traffic": map[string]any{"at_ns": now, "outcome": "done", "with": map[string]any{"weights": map[string]any{"large": weights["large"], "small": weights["small"]}}}}}}
				}
			}
			require.LessOrEqual(t, acts, 4, "a load around %v, %d of the backup", around, backup)
			require.Positive(t, weights["small"], "a load around %v, %d of the backup", around, backup)
		}
	}
}
