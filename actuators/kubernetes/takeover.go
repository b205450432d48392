package kubernetes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// managerPrefix starts the names of our field managers. Each verb has its own, such as
// "scanflow-scale": a manager that applies again gives up the fields that it no longer
// names, so two verbs with one manager would undo each other.
const managerPrefix = "scanflow-"

func managerOf(verb string) string { return managerPrefix + strings.ReplaceAll(verb, ".", "-") }

// TakeOverAnnotation gives the fields of an object to Scanflow again after another manager
// wrote them. Its value is a time (RFC 3339): writes until then are overwritten.
const TakeOverAnnotation = "scanflow.dev/take-over"

// ours reports whether a manager is one of our verbs.
func ours(m clusterview.FieldManager) bool { return strings.HasPrefix(m.Manager, managerPrefix) }

// OwnedError is the error for a field that belongs to another manager.
type OwnedError struct {
	Field string
	Owner string
	Fix   string
}

func (e *OwnedError) Error() string {
	return fmt.Sprintf("%s belongs to %s; %s", e.Field, e.Owner, e.Fix)
}

// mayTakeOver checks whether a field with these managers may be written:
//
//	none, or one of ours             yes
//	others, and we never wrote it    yes: the author's value is replaced once, and from names its managers
//	others, and we wrote it earlier  no: their later write is deliberate, unless the object's
//	                                 TakeOverAnnotation is younger than it
//
// The API server records no time for writes of the scale subresource. There the annotation
// has to be younger than our own last write.
func (c *Cluster) mayTakeOver(field string, managers []clusterview.FieldManager, p engine.Proposal, annotations map[string]string) (from string, err error) {
	if slices.ContainsFunc(managers, ours) || len(managers) == 0 {
		return "", nil
	}
	names := make([]string, len(managers))
	for i, w := range managers {
		names[i] = w.String()
	}
	from = strings.Join(names, " and ")
	handed, problem := takeOverTime(annotations[TakeOverAnnotation], c.Clock.Now())
	timeless := slices.ContainsFunc(managers, func(w clusterview.FieldManager) bool { return w.Time.IsZero() })
	if p.Written.IsZero() || !handed.IsZero() && !handed.Before(newestWrite(managers)) && (!timeless || handed.After(p.Written)) {
		return from, nil
	}
	if problem != "" {
		problem += "; "
	}
	return "", &OwnedError{
		Field: field, Owner: from + ", who wrote it after Scanflow did at " + p.Written.UTC().Format(time.RFC3339),
		Fix: problem + fmt.Sprintf("to hand it back: kubectl annotate %s -n %s %s %s=$(date -u +%%FT%%TZ) --overwrite", strings.ToLower(p.Target.Kind), p.Target.Namespace, p.Target.Name, TakeOverAnnotation),
	}
}

// newestWrite returns the time of the last write by these managers.
func newestWrite(managers []clusterview.FieldManager) (newest time.Time) {
	for _, m := range managers {
		if m.Time.After(newest) {
			newest = m.Time
		}
	}
	return newest
}

// takeOverNote is the part of a diff that names the managers whose value is replaced.
func takeOverNote(from ...string) (note string) {
	for _, f := range from {
		if f != "" {
			note += ", taken over from " + f
		}
	}
	return note
}

// checkTakeOvers checks each field that a verb changes, and returns the managers that it is
// taken over from; "" where it was ours or nobody's.
func (c *Cluster) checkTakeOvers(o *object, verb string, p engine.Proposal, paths []fieldpath.Path) ([]string, error) {
	p.Target = engine.Target{APIVersion: o.GetAPIVersion(), Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName()}
	out := make([]string, len(paths))
	for i, path := range paths {
		managers := managersAt(o, path)
		judged := p
		if !overwroteUs(o, verb, p.Written, managers) {
			judged.Written = time.Time{}
		}
		from, err := c.mayTakeOver(path.String(), managers, judged, o.GetAnnotations())
		if err != nil {
			return nil, err
		}
		out[i] = from
	}
	return out, nil
}

// overwroteUs reports whether the managers of a field may have replaced a value of ours. They
// can't have if the object is younger than our last act, or if our manager wrote the object
// after them and left the field alone.
func overwroteUs(o *object, verb string, written time.Time, managers []clusterview.FieldManager) bool {
	if o.GetCreationTimestamp().After(written) {
		return false
	}
	newest := newestWrite(managers)
	for _, e := range o.GetManagedFields() {
		if e.Manager == managerOf(verb) && e.Time != nil && newest.Before(e.Time.Time) {
			return false
		}
	}
	return true
}

// checkTakeOver checks all changes of a patch, and returns the managers that it takes fields over
// from, without duplicates.
func (c *Cluster) checkTakeOver(o *object, p engine.Proposal, changes []fieldChange) (from []string, err error) {
	paths := make([]fieldpath.Path, len(changes))
	for i, change := range changes {
		paths[i] = change.path
	}
	all, err := c.checkTakeOvers(o, p.Primitive, p, paths)
	if err != nil {
		return nil, err
	}
	return distinct(all), nil
}

// distinct returns the managers in order, once each.
func distinct(from []string) []string {
	from = slices.DeleteFunc(slices.Clone(from), func(s string) bool { return s == "" })
	slices.Sort(from)
	return slices.Compact(from)
}

// planned returns a change that takes fields over from these managers.
func planned(p engine.Proposal, diff string, plan any, from []string) (engine.Change, error) {
	c, err := engine.Planned(p, false, diff, plan)
	c.TakenOver = strings.Join(distinct(from), " and ")
	return c, err
}
