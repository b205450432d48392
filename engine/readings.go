package engine

import (
	"context"
	"encoding/json"
	"slices"
	"sort"
	"time"
)

// saveEvery spaces the writing of last good readings: they only tell a series
// that is gone from one that never was, after a restart.
const saveEvery = 30 * time.Second

type savedReadings struct {
	Names   []string
	Targets []savedTarget
}

type savedTarget struct {
	ID   TargetID
	Last []lastGood
}

func (a *agent) saveReadings(ctx context.Context, now time.Time) {
	if len(a.names) == 0 || now.Sub(a.saved) < saveEvery {
		return
	}
	out := savedReadings{Names: a.names}
	for id, s := range a.slots {
		out.Targets = append(out.Targets, savedTarget{id, s.last})
	}
	sort.Slice(out.Targets, func(i, j int) bool { return out.Targets[i].ID.Less(out.Targets[j].ID) })
	raw, err := json.Marshal(out)
	if err == nil {
		err = a.host.Journal.SaveReadings(ctx, a.name, raw)
	}
	if err != nil {
		a.log.Warn("last readings not kept", "error", err)
		return
	}
	a.saved = now
}

func (a *agent) loadReadings(raw []byte) {
	var in savedReadings
	if len(raw) == 0 || json.Unmarshal(raw, &in) != nil || !slices.Equal(in.Names, a.names) {
		return
	}
	a.good = make(map[TargetID][]lastGood, len(in.Targets))
	for _, t := range in.Targets {
		a.good[t.ID] = t.Last
	}
}
