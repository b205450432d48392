package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// documentsTried is how many documents of one agent policies are tried on.
const documentsTried = 50

// rehearse has what this turn asks the strategies asked elsewhere first, where
// Config.Rehearse says so: once for each trigger, and for each type of event. With an
// error nobody knows whether they can be asked, and this turn asks nothing.
func (a *agent) rehearse(ctx context.Context, rev Revision, trigger *TriggerInfo, slots []*slot) error {
	if a.host.Rehearse == nil {
		return nil
	}
	key := trigger.Kind + "/" + trigger.Name
	if trigger.Event != nil {
		key += "/" + trigger.Event.Type
	}
	if a.rehearsed[key] {
		return nil
	}
	if docs := documentsOf(slots); len(docs) > 0 {
		if err := a.host.Rehearse(ctx, rev, a.spec.Strategies, docs); err != nil {
			return fmt.Errorf("the strategies are not asked before they were tried in a child process, after an end of the process that was not in order: %w", err)
		}
	}
	if a.rehearsed == nil {
		a.rehearsed = map[string]bool{}
	}
	a.rehearsed[key] = true
	return nil
}

// documentsOf are the newest documents as JSON, of the first targets by name.
func documentsOf(slots []*slot) []json.RawMessage {
	slots = slices.DeleteFunc(slices.Clone(slots), func(s *slot) bool { return s.doc.Now.IsZero() })
	slices.SortFunc(slots, func(x, y *slot) int {
		switch a, b := x.doc.Target.ID(), y.doc.Target.ID(); {
		case a == b:
			return 0
		case a.Less(b):
			return -1
		}
		return 1
	})
	var out []json.RawMessage
	for _, s := range slots[:min(len(slots), documentsTried)] {
		if raw, err := json.Marshal(&s.doc); err == nil { // what is no JSON is said where it is decided
			out = append(out, raw)
		}
	}
	return out
}
