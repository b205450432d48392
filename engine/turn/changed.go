package turn

import (
	"maps"
	"math"
	"reflect"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
)

// changedFields returns the fields that differ between two signals as a document shows them:
// value and sustained only where the state is OK, the last value only where it is not.
func changedFields(a, b *engine.Signal) (out engine.SignalFields) {
	if a.State != b.State {
		out |= engine.SignalState
	}
	if isOK := a.State == engine.OK; isOK != (b.State == engine.OK) {
		out |= engine.SignalValue | engine.SignalLast | engine.SignalSustained
	} else if isOK {
		if !equalValues(a.Value, b.Value) {
			out |= engine.SignalValue
		}
		if !a.Sustained.Equal(b.Sustained) {
			out |= engine.SignalSustained
		}
	} else if !equalValues(a.Last, b.Last) {
		out |= engine.SignalLast
	}
	if !maps.Equal(a.Missing, b.Missing) {
		out |= engine.SignalMissing
	}
	if a.Window != b.Window {
		out |= engine.SignalWindow
	}
	if !a.Since.Equal(b.Since) {
		out |= engine.SignalSince
	}
	return out
}

func equalValues(a, b any) bool {
	switch x := a.(type) {
	case float64:
		y, ok := b.(float64)
		return ok && math.Float64bits(x) == math.Float64bits(y) // 0 and -0 differ as text
	case string:
		y, ok := b.(string)
		return ok && x == y
	case nil:
		return b == nil
	}
	return reflect.DeepEqual(a, b)
}

// changedTarget returns the fields that differ between two targets of one identity.
func changedTarget(a, b *engine.Target) (out engine.TargetFields) {
	if a.APIVersion != b.APIVersion {
		out |= engine.TargetAPIVersion
	}
	if !maps.Equal(a.Labels, b.Labels) {
		out |= engine.TargetLabels
	}
	switch {
	case (a.Replicas == nil) != (b.Replicas == nil):
		out |= engine.TargetDesired | engine.TargetReady
	case a.Replicas != nil:
		if a.Replicas.Desired != b.Replicas.Desired {
			out |= engine.TargetDesired
		}
		if a.Replicas.Ready != b.Replicas.Ready {
			out |= engine.TargetReady
		}
	}
	if (a.Placement == nil) != (b.Placement == nil) || !slices.Equal(a.Placement, b.Placement) {
		out |= engine.TargetPlacement
	}
	if (a.Pods == nil) != (b.Pods == nil) || !slices.Equal(a.Pods, b.Pods) || a.PodsOmitted != b.PodsOmitted {
		out |= engine.TargetPods
	}
	if a.Model != b.Model {
		out |= engine.TargetModel
	}
	return out
}
