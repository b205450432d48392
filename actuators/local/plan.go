package local

import (
	"cmp"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// surge bounds a rolling change: how many pods there may be above what is
// desired, and how many may be missing from it.
type surge struct{ above, missing int }

// surgeOf is one pod above and none missing, unless the strategy says otherwise. (A
// cluster's default is a quarter each way; on few pods that comes to the same.)
func surgeOf(d *appsv1.Deployment) (surge, error) {
	out := surge{above: 1}
	ru := d.Spec.Strategy.RollingUpdate
	if ru == nil {
		return out, nil
	}
	n := desiredOf(d)
	for _, f := range []struct {
		name string
		from *intstr.IntOrString
		up   bool
		to   *int
	}{{"maxSurge", ru.MaxSurge, true, &out.above}, {"maxUnavailable", ru.MaxUnavailable, false, &out.missing}} {
		if f.from == nil {
			continue
		}
		v, err := intstr.GetScaledValueFromIntOrPercent(f.from, n, f.up)
		if err != nil || v < 0 {
			return surge{}, fmt.Errorf("%s %s is neither a number of pods nor a percentage", f.name, f.from.String())
		}
		*f.to = v
	}
	if out.above == 0 && out.missing == 0 {
		if isZero(ru.MaxSurge) && isZero(ru.MaxUnavailable) {
			return surge{}, fmt.Errorf("maxSurge and maxUnavailable are both 0, so that nothing could ever change; raise one")
		}
		out.missing = 1 // percentages of few pods, both rounded away
	}
	return out, nil
}

func isZero(v *intstr.IntOrString) bool {
	return v != nil && (v.Type == intstr.Int && v.IntVal == 0 || v.Type == intstr.String && v.StrVal == "0%")
}

// desiredOf is the replicas that the YAML asks for.
func desiredOf(d *appsv1.Deployment) int {
	if d.Spec.Replicas == nil {
		return 1
	}
	return int(*d.Spec.Replicas)
}

// member is a pod as plan sees it. Pods already on their way out are not shown to it.
type member struct {
	name     string
	current  bool // of the present template
	placed   bool // has a node, and so perhaps a process
	ready    bool
	restarts int
	serial   int // grows with each pod made
}

// plan says how many pods to make of the present template and which to end, so
// that ready pods never fall below what the surge allows.
func plan(desired int, s surge, members []member) (create int, end []string) {
	var fresh, old []member
	ready := 0
	for _, m := range members {
		if m.ready {
			ready++
		}
		if m.current {
			fresh = append(fresh, m)
		} else {
			old = append(old, m)
		}
	}
	slices.SortFunc(fresh, leastWorthFirst)
	slices.SortFunc(old, leastWorthFirst)
	for len(fresh) > desired {
		if fresh[0].ready {
			ready--
		}
		end = append(end, fresh[0].name)
		fresh = fresh[1:]
	}
	room := desired - len(fresh)
	if len(old) == 0 {
		return room, end
	}
	create = max(0, min(room, desired+s.above-len(fresh)-len(old)))

	least := desired - s.missing
	freshUnready := 0
	for _, m := range fresh {
		if !m.ready {
			freshUnready++
		}
	}
	// Old pods that serve nobody go first, but never so many that the total would
	// count on new ones which aren't ready yet.
	spare := len(fresh) + len(old) - least - freshUnready
	for _, m := range old {
		if !m.ready && spare > 0 {
			end = append(end, m.name)
			spare--
		}
	}
	for _, m := range old {
		if m.ready && ready > least && spare > 0 {
			end = append(end, m.name)
			ready--
			spare--
		}
	}
	return create, end
}

// leastWorthFirst is the order in which pods are given up: without a node, not
// ready, then the newest.
func leastWorthFirst(a, b member) int {
	return cmp.Or(boolCompare(a.placed, b.placed), boolCompare(a.ready, b.ready), cmp.Compare(b.serial, a.serial))
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
