package demo

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFailoverIsJudged(t *testing.T) {
	good := FailoverReport{LostS: 15, OnBackupS: 16, Intervals: 0.5, ReturnS: 40, ReturnedS: 50, FlapLosses: 3}
	for name, row := range map[string]struct {
		spoil  func(*FailoverReport)
		missed string
	}{
		"all as it must":       {func(*FailoverReport) {}, ""},
		"never lost":           {func(r *FailoverReport) { r.LostS = 0 }, "never without a ready replica"},
		"no shift":             {func(r *FailoverReport) { r.OnBackupS = 0 }, "did not go to the backup"},
		"too late":             {func(r *FailoverReport) { r.Intervals = 2.1 }, "2.1 intervals after the loss"},
		"lost after the shift": {func(r *FailoverReport) { r.ErrorsAfter = 1 }, "1 queries were lost after"},
		"did not return":       {func(r *FailoverReport) { r.ReturnedS = 0 }, "did not go back"},
		"lost on the way back": {func(r *FailoverReport) { r.ErrorsBack = 2 }, "2 queries were lost while"},
		"flapped":              {func(r *FailoverReport) { r.FlapBack = 1 }, "went back 1 times"},
		"nothing flapped":      {func(r *FailoverReport) { r.FlapLosses = 1 }, "nothing is known of flapping"},
	} {
		r := good
		row.spoil(&r)
		r.judge()
		requireMissed(t, name, row.missed, r.Held, r.Missed)
	}
}

func TestAnInterferenceIsJudged(t *testing.T) {
	ms := func(v float64) *float64 { return &v }
	for name, row := range map[string]struct {
		spoil  func(moved, apart *InterferenceHalf)
		missed string
	}{
		"all as it must":     {func(_, _ *InterferenceHalf) {}, ""},
		"slow before":        {func(m, _ *InterferenceHalf) { m.QuietP99 = ms(500) }, "before the batch work: 500"},
		"nothing before":     {func(m, _ *InterferenceHalf) { m.QuietP99 = nil }, "before the batch work: –"},
		"not shared":         {func(m, _ *InterferenceHalf) { m.SharedS = 0 }, "did not come to the online service's node"},
		"did not break":      {func(m, _ *InterferenceHalf) { m.SharedP99 = ms(300) }, "p99 did not break"},
		"not moved":          {func(m, _ *InterferenceHalf) { m.DecidedS = 0 }, "did not move"},
		"did not come back":  {func(m, _ *InterferenceHalf) { m.BackS = 0 }, "did not come back"},
		"came back too late": {func(m, _ *InterferenceHalf) { m.Intervals = 3.1 }, "3.1 intervals"},
		"slow afterwards":    {func(m, _ *InterferenceHalf) { m.ApartP99 = ms(401) }, "elsewhere: 401"},
		"shared after all":   {func(_, a *InterferenceHalf) { a.SharedS = 41 }, "came to the online service's node 41.0 s"},
		"slow apart":         {func(_, a *InterferenceHalf) { a.ApartP99 = nil }, "elsewhere: –"},
	} {
		moved := InterferenceHalf{Half: halfMoved, QuietP99: ms(200), SharedP99: ms(2000), ApartP99: ms(250), SharedS: 40, DecidedS: 49, ApartS: 50, BackS: 60, Intervals: 1.1}
		apart := InterferenceHalf{Half: halfApart, QuietP99: ms(200), ApartP99: ms(250), ApartS: 40}
		row.spoil(&moved, &apart)
		r := InterferenceReport{BoundMS: 400, Halves: []*InterferenceHalf{&moved, &apart}}
		r.judge()
		requireMissed(t, name, row.missed, r.Held, r.Missed)
	}
}

func requireMissed(t *testing.T, name, want string, held bool, missed []string) {
	t.Helper()
	if want == "" {
		require.Empty(t, missed, name)
		require.True(t, held, name)
		return
	}
	require.Len(t, missed, 1, name)
	require.Contains(t, missed[0], want, name)
	require.False(t, held, name)
}

func TestShiftOfAnAct(t *testing.T) {
	weights := func(v any) map[string]any {
		return map[string]any{"weights": map[string]any{"primary": 0, "backup": v}}
	}
	for name, row := range map[string]struct {
		act   Act
		share float64
		is    bool
	}{
		"done":          {Act{Primitive: "traffic", Outcome: "done", With: weights(float64(75))}, 75, true},
		"whole numbers": {Act{Primitive: "traffic", Outcome: "done", With: weights(100)}, 100, true},
		"failed":        {Act{Primitive: "traffic", Outcome: "failed", With: weights(100)}, 0, false},
		"another verb":  {Act{Primitive: "scale", Outcome: "done", With: map[string]any{"replicas": 2}}, 0, false},
		"no backup":     {Act{Primitive: "traffic", Outcome: "done", With: map[string]any{"weights": map[string]any{"primary": 1}}}, 0, false},
	} {
		share, is := backupShare(row.act)
		require.Equal(t, row.is, is, name)
		require.Equal(t, row.share, share, name)
	}
}
