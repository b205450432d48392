package kubernetes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
)

// managerPrefix begins the name of every field manager of ours. Each verb has its
// own ("scanflow-scale"): a manager that applies again gives up the fields that it
// no longer names, so two verbs under one name would undo each other.
const managerPrefix = "scanflow-"

func managerOf(verb string) string { return managerPrefix + strings.ReplaceAll(verb, ".", "-") }

// TakeOverAnnotation hands the fields of an object to Scanflow again after somebody
// else wrote them. Its value is a time (RFC 3339): what was written until then is
// taken over.
const TakeOverAnnotation = "scanflow.dev/take-over"

// ours reports whether a manager is one of our verbs.
func ours(m clusterview.FieldManager) bool { return strings.HasPrefix(m.Manager, managerPrefix) }

// OwnedError says that a field belongs to somebody else.
type OwnedError struct {
	Field string
	Owner string
	Fix   string
}

func (e *OwnedError) Error() string {
	return fmt.Sprintf("%s belongs to %s; %s", e.Field, e.Owner, e.Fix)
}

// mayTake judges whether a field may be written that these managers own:
//
//	nobody, or one of ours          yes
//	others, and we never wrote it   yes: the author's own value is taken over, once; from says whose it was
//	others, and we wrote it before  no: they wrote after us, so they mean it, unless the
//	                                object's TakeOverAnnotation is younger than their write
//
// The API server tells no time of a write to the scale subresource: there the
// annotation has to be younger than our own last write.
func mayTake(field string, writers []clusterview.FieldManager, p engine.Proposal, annotations map[string]string) (from string, err error) {
	if slices.ContainsFunc(writers, ours) || len(writers) == 0 {
		return "", nil
	}
	names := make([]string, len(writers))
	newest := time.Time{}
	for i, w := range writers {
		names[i] = w.String()
		if w.Time.After(newest) {
			newest = w.Time
		}
	}
	from = strings.Join(names, " and ")
	handed, err := time.Parse(time.RFC3339, annotations[TakeOverAnnotation])
	timeless := slices.ContainsFunc(writers, func(w clusterview.FieldManager) bool { return w.Time.IsZero() })
	if p.Written.IsZero() || err == nil && !handed.Before(newest) && (!timeless || handed.After(p.Written)) {
		return from, nil
	}
	return "", &OwnedError{
		Field: field, Owner: from + ", who wrote it after Scanflow did at " + p.Written.UTC().Format(time.RFC3339),
		Fix: fmt.Sprintf("to hand it back: kubectl annotate %s -n %s %s %s=$(date -u +%%FT%%TZ) --overwrite", strings.ToLower(p.Target.Kind), p.Target.Namespace, p.Target.Name, TakeOverAnnotation),
	}
}

// takenOver is the part of a diff that says whose value is replaced.
func takenOver(from string) string {
	if from == "" {
		return ""
	}
	return ", taken over from " + from
}
