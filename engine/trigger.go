package engine

import "slices"

// TriggerInfo is the trigger of a firing, as a document has it.
type TriggerInfo struct {
	Name string `json:"name"`
	// Kind is every, cron, at, event, alert, watch, or manual (`scanflow eval`).
	Kind  string `json:"kind"`
	Event *Event `json:"event,omitempty"`
	// Approval is the id of the approval that the firing rechecks; then the rest is the
	// trigger of the firing that asked for it.
	Approval string `json:"approval,omitempty"`
	// Watch has the changes that a watch trigger saw.
	Watch *Watched `json:"watch,omitempty"`
	// Deferral is that of the event, nil where no guard deferred it.
	Deferral *Deferral `json:"-"`
}

// Watched are the changes that fired a watch trigger, one an object, at most 100.
type Watched struct {
	Objects []ObjectChange `json:"objects"`
}

// Base returns the firing from whose id the identities of the acts are made.
func (t *TriggerInfo) Base(firing string) string {
	if t.Deferral != nil {
		return t.Deferral.Firing
	}
	return firing
}

// HandlesEvent reports whether the firing handles an event. A recheck of an approval that
// an event asked for does not.
func (t *TriggerInfo) HandlesEvent() bool { return t.Event != nil && t.Approval == "" }

// Did reports whether an act was admitted when the event was handled before.
func (t *TriggerInfo) Did(identity string) bool {
	return t.Deferral != nil && slices.Contains(t.Deferral.Acts, identity)
}
