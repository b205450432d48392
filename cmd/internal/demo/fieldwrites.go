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

// FieldWrite is a value that a field of an object got, and who owned the field then, by
// the object's managedFields. By is empty where nobody has written it: the default.
type FieldWrite struct {
	AtSeconds float64  `json:"at_s"`
	Value     int64    `json:"value"`
	By        []string `json:"by"`
}

// fieldLog keeps each change of a whole number of an object, and of its owners.
type fieldLog struct {
	apiVersion, kind, namespace, name string
	path                              []string
	// changed is called when another value was written over an earlier one.
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
func (l *fieldLog) follow(ctx context.Context, client *apiclient.Client) error {
	mapping, err := client.Kinds.Find(l.apiVersion, l.kind)
	if err != nil {
		return err
	}
	resource := client.Dynamic.Resource(mapping.Resource).Namespace(l.namespace)
	// A watch is ended by the server now and then; the next begins with what is there.
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
				l.note(time.Now(), o)
			}
		}
		watch.Stop()
		if !waitUntil(ctx, time.Now().Add(observeEvery)) {
			return nil
		}
	}
}

func (l *fieldLog) note(at time.Time, o *unstructured.Unstructured) {
	value, there, err := unstructured.NestedInt64(o.Object, l.path...)
	if !there || err != nil {
		return
	}
	w := fieldWrite{at: at, value: value, by: ownersOf(o.GetManagedFields(), l.path)}
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

// list is all of them, by the time since began.
func (l *fieldLog) list(began time.Time) []FieldWrite {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := []FieldWrite{}
	for _, w := range l.writes {
		out = append(out, FieldWrite{AtSeconds: seconds(w.at.Sub(began)), Value: w.value, By: w.by})
	}
	return out
}

// ownersOf are the managers of a field, with the subresource that they write it by.
func ownersOf(managed []metav1.ManagedFieldsEntry, path []string) []string {
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

// writersOf are all that ever owned it.
func writersOf(writes []FieldWrite) []string {
	var out []string
	for _, w := range writes {
		out = append(out, w.By...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
