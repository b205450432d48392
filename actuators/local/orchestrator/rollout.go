package orchestrator

import (
	"cmp"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// rolloutLimits bound a rolling update: how many pods there may be above the desired
// number, and how many ready ones may be missing from it.
type rolloutLimits struct{ maxSurge, maxUnavailable int }

// limitsOf returns one pod of surge and none unavailable, unless the strategy sets others.
// (A cluster's default is 25% for each, which is the same for few pods.)
func limitsOf(d *appsv1.Deployment) (rolloutLimits, error) {
	out := rolloutLimits{maxSurge: 1}
	ru := d.Spec.Strategy.RollingUpdate
	if ru == nil {
		return out, nil
	}
	n := declaredReplicas(d)
	for _, f := range []struct {
		name string
		from *intstr.IntOrString
		up   bool
		to   *int
	}{{"maxSurge", ru.MaxSurge, true, &out.maxSurge}, {"maxUnavailable", ru.MaxUnavailable, false, &out.maxUnavailable}} {
		if f.from == nil {
			continue
		}
		v, err := intstr.GetScaledValueFromIntOrPercent(f.from, n, f.up)
		if err != nil || v < 0 {
			return rolloutLimits{}, fmt.Errorf("%s %s is neither a number of pods nor a percentage", f.name, f.from.String())
		}
		*f.to = v
	}
	if out.maxSurge == 0 && out.maxUnavailable == 0 {
		if isZero(ru.MaxSurge) && isZero(ru.MaxUnavailable) {
			return rolloutLimits{}, fmt.Errorf("maxSurge and maxUnavailable are both 0, so that nothing could ever change; raise one")
		}
		out.maxUnavailable = 1 // both percentages were rounded down to 0
	}
	return out, nil
}

func isZero(v *intstr.IntOrString) bool {
	return v != nil && (v.Type == intstr.Int && v.IntVal == 0 || v.Type == intstr.String && v.StrVal == "0%")
}

// member is a pod as planRollout sees it. Pods that terminate are left out.
type member struct {
	name      string
	current   bool // of the current template
	scheduled bool // has a node, and so may have a process
	ready     bool
	serial    int // grows with each pod made
}

// planRollout returns how many pods of the current template to create and which pods to
// end, within the limits.
func planRollout(desired int, limits rolloutLimits, members []member) (create int, end []string) {
	var updated, outdated []member
	ready := 0
	for _, m := range members {
		if m.ready {
			ready++
		}
		if m.current {
			updated = append(updated, m)
		} else {
			outdated = append(outdated, m)
		}
	}
	slices.SortFunc(updated, evictionOrder)
	slices.SortFunc(outdated, evictionOrder)
	for len(updated) > desired {
		if updated[0].ready {
			ready--
		}
		end = append(end, updated[0].name)
		updated = updated[1:]
	}
	missing := desired - len(updated)
	if len(outdated) == 0 {
		return missing, end
	}
	create = max(0, min(missing, desired+limits.maxSurge-len(updated)-len(outdated)))

	minReady := desired - limits.maxUnavailable
	updatedUnready := 0
	for _, m := range updated {
		if !m.ready {
			updatedUnready++
		}
	}
	// Outdated pods that aren't ready end first, but only so many that the rest reaches
	// minReady without the updated pods that aren't ready.
	spare := len(updated) + len(outdated) - minReady - updatedUnready
	for _, m := range outdated {
		if !m.ready && spare > 0 {
			end = append(end, m.name)
			spare--
		}
	}
	for _, m := range outdated {
		if m.ready && ready > minReady && spare > 0 {
			end = append(end, m.name)
			ready--
			spare--
		}
	}
	return create, end
}

// evictionOrder sorts pods in the order in which they are ended: those without a node
// first, then those that aren't ready, then the newest.
func evictionOrder(a, b member) int {
	return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(b.serial, a.serial))
}

func (m *member) rank() int {
	switch {
	case !m.scheduled:
		return 0
	case !m.ready:
		return 1
	}
	return 2
}
