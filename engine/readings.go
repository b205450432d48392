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
	if now.Sub(a.saved) < saveEvery {
		return
	}
	if err := a.writeReadings(ctx); err != nil {
		a.log.Warn("last readings not kept", "error", err)
		return
	}
	a.saved = now
}

// keepReadings saves them once more when the agent stops.
func (a *agent) keepReadings() {
	ctx, cancel := context.WithTimeout(context.Background(), concludeHurry)
	defer cancel()
	if err := a.writeReadings(ctx); err != nil {
		a.log.Warn("last readings not kept", "error", err)
	}
}

func (a *agent) writeReadings(ctx context.Context) error {
	if len(a.names) == 0 || len(a.slots) == 0 {
		return nil
	}
	out := savedReadings{Names: a.names}
	for id, s := range a.slots {
		out.Targets = append(out.Targets, savedTarget{id, s.last})
	}
	sort.Slice(out.Targets, func(i, j int) bool { return out.Targets[i].ID.Less(out.Targets[j].ID) })
	raw, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return a.host.Journal.SaveReadings(ctx, a.name, raw)
}

// loadReadings takes what was kept, by the sensors' names: some may be new.
func (a *agent) loadReadings(raw []byte) {
	var in savedReadings
	if len(raw) == 0 || UnmarshalExact(raw, &in) != nil {
		return
	}
	a.good = make(map[TargetID][]lastGood, len(in.Targets))
	for _, t := range in.Targets {
		last := make([]lastGood, len(a.names))
		for i, name := range a.names {
			if j := slices.Index(in.Names, name); j >= 0 && j < len(t.Last) {
				last[i] = t.Last[j]
			}
		}
		a.good[t.ID] = last
	}
}
