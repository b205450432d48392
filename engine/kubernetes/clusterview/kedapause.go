package clusterview

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// kedaAnnotations is the prefix of the annotations that pause a ScaledObject.
const kedaAnnotations = "autoscaling.keda.sh/"

const (
	paused          = kedaAnnotations + "paused"
	pausedReplicas  = kedaAnnotations + "paused-replicas"
	pausedScaleDown = kedaAnnotations + "paused-scale-down" // early name of paused-scale-in
	pausedScaleIn   = kedaAnnotations + "paused-scale-in"   // since KEDA 2.18
	pausedScaleOut  = kedaAnnotations + "paused-scale-out"  // since KEDA 2.18
)

// KEDAPause has the directions in which the annotations of a ScaledObject pause KEDA.
type KEDAPause struct {
	// Whole is true where KEDA scales the target no more: it deletes its HorizontalPodAutoscaler
	// and leaves the replicas as they are, or as Replicas says.
	Whole bool
	// Replicas is the number that the target is held at; "" is the number that it had.
	Replicas string
	// In and Out are true where KEDA scales in one direction only.
	In, Out bool
	// Annotations are those that pause, sorted.
	Annotations []string
}

// KEDAPauseOf reads the annotations of a ScaledObject. As in KEDA, a value that is no bool
// counts as true.
func KEDAPauseOf(annotations map[string]string) KEDAPause {
	var p KEDAPause
	for _, name := range slices.Sorted(maps.Keys(annotations)) {
		value := annotations[name]
		set, err := strconv.ParseBool(value)
		set = set || err != nil
		switch name {
		case pausedReplicas:
			p.Whole, p.Replicas, set = true, value, true
		case paused:
			p.Whole = p.Whole || set
		case pausedScaleIn, pausedScaleDown:
			p.In = p.In || set
		case pausedScaleOut:
			p.Out = p.Out || set
		default:
			continue
		}
		if set {
			p.Annotations = append(p.Annotations, name)
		}
	}
	return p
}

// String is "paused at 3 replicas (annotation autoscaling.keda.sh/paused-replicas)", or "".
func (p KEDAPause) String() string {
	var what string
	switch {
	case p.Whole && p.Replicas != "":
		what = fmt.Sprintf("paused at %s replicas", p.Replicas)
	case p.Whole:
		what = "paused"
	case p.In && p.Out:
		what = "paused in both directions"
	case p.In:
		what = "paused for scaling in"
	case p.Out:
		what = "paused for scaling out"
	default:
		return ""
	}
	return fmt.Sprintf("%s (annotation %s)", what, strings.Join(p.Annotations, ", "))
}

// Resume returns the command that ends the pause.
func (p KEDAPause) Resume(namespace, name string) string {
	return fmt.Sprintf("kubectl annotate scaledobject -n %s %s %s-", namespace, name, strings.Join(p.Annotations, "- "))
}

func withKEDAPrefix(annotations map[string]string) map[string]string {
	maps.DeleteFunc(annotations, func(name, _ string) bool { return !strings.HasPrefix(name, kedaAnnotations) })
	return annotations
}
