package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// FieldWrite is a value of an object's field, and its owners at that time, from the object's
// managedFields. By is empty for the default value.
type FieldWrite struct {
	AtSeconds float64  `json:"at_s"`
	Value     int64    `json:"value"`
	By        []string `json:"by"`
}

// fieldHistory records each change of an integer field of an object, and of the field's
// owners.
type fieldHistory struct {
	apiVersion, kind, namespace, name string
	path                              []string
	// changed is called when the value changed.
	changed func(from, to fieldWrite)

	mu     sync.Mutex
	writes []fieldWrite
}

type fieldWrite struct {
	at    time.Time
	value int64
	by    []string
}

// follow watches the object until the context ends.
func (l *fieldHistory) follow(ctx context.Context, client *apiclient.Client) error {
	mapping, err := client.Kinds.Find(l.apiVersion, l.kind)
	if err != nil {
		return err
	}
	resource := client.Dynamic.Resource(mapping.Resource).Namespace(l.namespace)
	// The server ends a watch from time to time; the next one begins with the current state.
	for {
		watch, err := resource.Watch(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", l.name).String()})
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("watch %s %s: %w", l.kind, l.name, err)
		}
		for e := range watch.ResultChan() {
			if o, is := e.Object.(*unstructured.Unstructured); is {
				l.record(time.Now(), o)
			}
		}
		watch.Stop()
		if !waitUntil(ctx, time.Now().Add(pollInterval)) {
			return nil
		}
	}
}

func (l *fieldHistory) record(at time.Time, o *unstructured.Unstructured) {
	value, there, err := unstructured.NestedInt64(o.Object, l.path...)
	if !there || err != nil {
		return
	}
	w := fieldWrite{at: at, value: value, by: fieldOwners(o.GetManagedFields(), l.path)}
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.writes)
	if n > 0 && l.writes[n-1].value == w.value && slices.Equal(l.writes[n-1].by, w.by) {
		return
	}
	l.writes = append(l.writes, w)
	if n > 0 && l.writes[n-1].value != w.value {
		l.changed(l.writes[n-1], w)
	}
}

// list returns the changes, with times since began.
func (l *fieldHistory) list(began time.Time) []FieldWrite {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := []FieldWrite{}
	for _, w := range l.writes {
		out = append(out, FieldWrite{AtSeconds: seconds(w.at.Sub(began)), Value: w.value, By: w.by})
	}
	return out
}

// fieldOwners returns the managers of a field, with the subresource that they used.
func fieldOwners(managed []metav1.ManagedFieldsEntry, path []string) []string {
	owners := []string{}
	for _, e := range managed {
		if e.FieldsV1 == nil {
			continue
		}
		var at any
		if err := json.Unmarshal(e.FieldsV1.GetRawBytes(), &at); err != nil {
			continue
		}
		for _, name := range path {
			below, _ := at.(map[string]any)
			at = below["f:"+name]
		}
		if at != nil {
			owners = append(owners, strings.TrimSuffix(e.Manager+"/"+e.Subresource, "/"))
		}
	}
	slices.Sort(owners)
	return slices.Compact(owners)
}

// fieldManagers returns all managers that ever owned the field.
func fieldManagers(writes []FieldWrite) []string {
	var out []string
	for _, w := range writes {
		out = append(out, w.By...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
