package kubernetes

import (
	"context"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

const (
	// eventsAfter is how long an act waits without a reason in its object or its pods before
	// the Events are read, and eventsAgain the pause until they are read again.
	eventsAfter = 3 * time.Second
	eventsAgain = 20 * time.Second
	// eventsPause is the least pause between two reads for all acts together: a thousand that
	// wait for a slow cluster add no load to it.
	eventsPause = time.Second
	// lookupsFor is how long an act that is verified no more is remembered.
	lookupsFor = 10 * time.Minute
	// mostEvents bounds an answer, and mostPages the answers to one lookup: they come in the
	// order of names, not of times.
	mostEvents = 500
	mostPages  = 8
)

var eventsResource = schema.GroupVersionResource{Version: "v1", Resource: "events"}

// eventLookups has what was found in the Events for the acts that wait.
type eventLookups struct {
	mu   sync.Mutex
	by   map[string]*eventLookup // by the act's identity
	read time.Time               // the last, of any act
}

type eventLookup struct {
	first, last, read time.Time // asked for first and last, and read
	missing, starting string    // what they said of pods that can't be made, and of one that starts
}

// of returns the lookup of an act, and reports whether the Events are to be read.
func (l *eventLookups) of(identity string, now time.Time) (*eventLookup, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.by[identity]
	if one == nil {
		if l.by == nil {
			l.by = map[string]*eventLookup{}
		}
		for other, past := range l.by {
			if now.Sub(past.last) > lookupsFor {
				delete(l.by, other)
			}
		}
		one = &eventLookup{first: now}
		l.by[identity] = one
	}
	one.last = now
	if now.Sub(one.first) < eventsAfter || now.Sub(one.read) < eventsAgain || now.Sub(l.read) < eventsPause {
		return one, false
	}
	one.read, l.read = now, now
	return one, true
}

// missingPods returns what the Events since a time say of pods that can't be made: a
// StatefulSet, a DaemonSet, a Job and most custom kinds have no condition for it. Without the
// right to list Events it says nothing.
func (c *Cluster) missingPods(ctx context.Context, w *waiting, since time.Time) string {
	fields := "reason=FailedCreate,type=Warning"
	if builtInPods(w.apiVersion) {
		fields += ",involvedObject.kind=" + w.id.Kind + ",involvedObject.name=" + w.id.Name
	}
	e := c.newestEvent(ctx, w.id.Namespace, fields, since, func(kind, name string) bool {
		own := kind == w.id.Kind && name == w.id.Name
		// The controllers of custom kinds make the pods by objects that they name after theirs.
		return own || !builtInPods(w.apiVersion) && strings.HasPrefix(name, w.id.Name+"-")
	})
	if e == nil {
		return ""
	}
	text := clusterview.EventText(e)
	if kind, name := fieldpath.Text(e, "involvedObject", "kind"), fieldpath.Text(e, "involvedObject", "name"); kind != w.id.Kind {
		text = kind + " " + name + ": " + text
	}
	return text
}

// startingPod returns what the Events say of the first pod that stays in its creation or is
// not ready: a volume that can't be mounted is in no status of a pod.
func (c *Cluster) startingPod(ctx context.Context, namespace string, pods []clusterview.PodObstacle, now time.Time) string {
	for _, p := range pods {
		// A container that runs may take its time to be ready.
		if p.Terminating || strings.HasPrefix(p.Reason, "running") && now.Sub(p.Since) < transientFor {
			continue
		}
		e := c.newestEvent(ctx, namespace, "type=Warning,involvedObject.kind=Pod,involvedObject.name="+p.Pod, time.Time{}, func(string, string) bool { return true })
		if e == nil {
			return ""
		}
		return "pod " + p.Pod + ": " + clusterview.EventText(e)
	}
	return ""
}

// reportsMissing reports whether a kind has a condition for pods that can't be made.
func reportsMissing(w *waiting) bool {
	return strings.HasPrefix(w.apiVersion, "apps/") && (w.id.Kind == "Deployment" || w.id.Kind == "ReplicaSet")
}

// builtInPods reports whether the controllers of an API make pods themselves.
func builtInPods(apiVersion string) bool {
	return strings.HasPrefix(apiVersion, "apps/") || strings.HasPrefix(apiVersion, "batch/")
}

// newestEvent returns the newest Event since a time that a field selector selects, of the
// objects that keep selects; nil if there is none.
func (c *Cluster) newestEvent(ctx context.Context, namespace, fields string, since time.Time, keep func(kind, name string) bool) map[string]any {
	var newest map[string]any
	at := since.Add(-eventsAgain) // a controller that tries again waits longer each time
	options := metav1.ListOptions{FieldSelector: fields, Limit: mostEvents}
	for range mostPages {
		list, err := c.Client.Dynamic.Resource(eventsResource).Namespace(namespace).List(ctx, options)
		if err != nil {
			return newest
		}
		for i := range list.Items {
			e := list.Items[i].Object
			if when := eventTime(e); keep(fieldpath.Text(e, "involvedObject", "kind"), fieldpath.Text(e, "involvedObject", "name")) && when.After(at) {
				newest, at = e, when
			}
		}
		if options.Continue = list.GetContinue(); options.Continue == "" {
			break
		}
	}
	return newest
}

// eventTime returns when an Event was last seen.
func eventTime(e map[string]any) time.Time {
	for _, path := range [][]any{{"series", "lastObservedTime"}, {"lastTimestamp"}, {"eventTime"}, {"metadata", "creationTimestamp"}} {
		if at, err := time.Parse(time.RFC3339, fieldpath.Text(e, path...)); err == nil {
			return at
		}
	}
	return time.Time{}
}
