package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// write is a part of one object, to be applied by server-side apply under a field
// manager of our own, on the very version that it was planned on. It is an
// actuator's plan, so it holds no secret.
type write struct {
	APIVersion  string `json:"apiVersion"`
	Kind        string `json:"kind"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	Subresource string `json:"subresource,omitempty"`
	// ResourceVersion is that of the plan; "" creates the object, and fails if it is
	// there already with other values.
	ResourceVersion string `json:"resourceVersion,omitempty"`
	UID             string `json:"uid,omitempty"`
	Manager         string `json:"manager"`
	// Set is the fields to write, without apiVersion, kind and metadata's name.
	Set map[string]any `json:"set"`
	// Before is what those fields were when it was planned: those that were not there
	// are not in it.
	Before map[string]any `json:"before,omitempty"`
	// After is what those fields come to, with what the API server adds; nil where
	// that is Set.
	After map[string]any `json:"after,omitempty"`
}

// wanted is what the fields are once they are written.
func (w write) wanted() map[string]any {
	if w.After != nil {
		return w.After
	}
	return w.Set
}

// writeTo is a write of some fields to an object that was read.
func writeTo(o *object, verb string, set map[string]any) write {
	return write{
		APIVersion: o.GetAPIVersion(), Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName(),
		ResourceVersion: o.GetResourceVersion(), UID: string(o.GetUID()), Manager: managerOf(verb), Set: set, Before: pick(o.Object, set),
	}
}

// ErrMoved says that somebody changed the fields between plan and act. The act is
// not done; the loop plans afresh.
var ErrMoved = errors.New("it was changed after it was planned")

// moves is how often a write is sent again because the object's version moved on
// while the fields to write did not: a workload's status moves it all the time. The
// pauses in between begin with firstPause, and double.
const (
	moves      = 8
	firstPause = 10 * time.Millisecond
)

// apply sends a write. It is done once however often it is sent: where the version
// is not the one that was planned on, the object is read again, and if the fields
// are as wanted by then (an earlier attempt landed, and its answer was lost) that
// is all; if they are as they were, the write goes to the new version; if they are
// anything else, it is an ErrMoved, final. An outage may pass (engine.Retry), and so may
// that the version moves on each time.
//
// still may forbid the write on a newer version than the planned one.
func (c *Cluster) apply(ctx context.Context, w write, still ...func(*unstructured.Unstructured) error) error {
	for i := range moves {
		if i > 0 && !c.pause(ctx, firstPause<<(i-1)) {
			break
		}
		err := c.send(ctx, w)
		if !apierrors.IsConflict(err) {
			return err
		}
		now, there := c.read(ctx, w)
		if there != nil {
			return there
		}
		for _, check := range still {
			if err := check(now); err != nil {
				return fmt.Errorf("write %s: %w", w, err)
			}
		}
		fields := w.fields(now)
		switch {
		case w.UID != "" && string(now.GetUID()) != w.UID:
			return fmt.Errorf("write %s: %w: it was deleted, and made anew", w, ErrMoved)
		case same(fields, w.wanted()):
			return nil
		case w.ResourceVersion == "" || !same(fields, w.Before):
			return fmt.Errorf("write %s: %w", w, ErrMoved)
		}
		w.ResourceVersion = now.GetResourceVersion()
	}
	return engine.Retry(fmt.Errorf("write %s: others wrote it at the same time, again and again", w))
}

// pause waits, and returns false if the context ends first.
func (c *Cluster) pause(ctx context.Context, d time.Duration) bool {
	wake, stop := c.Clock.Timer(d)
	defer stop()
	select {
	case <-wake:
		return true
	case <-ctx.Done():
		return false
	}
}

// fields are those that the write sets or gives up, as an object has them.
func (w write) fields(o *unstructured.Unstructured) map[string]any {
	return pick(o.Object, overlay(w.Before, w.Set))
}

// String names the object.
func (w write) String() string { return fmt.Sprintf("%s %s/%s", w.Kind, w.Namespace, w.Name) }

func (w write) subresources() []string {
	if w.Subresource == "" {
		return nil
	}
	return []string{w.Subresource}
}

// send is a server-side apply. The scale of a custom resource takes none (Kubernetes
// 1.37 can't convert it): it gets a merge patch, of one field and on the version that
// was planned on, too.
func (c *Cluster) send(ctx context.Context, w write) error {
	mapping, err := c.Client.Kinds.Find(w.APIVersion, w.Kind)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(w.object())
	if err != nil {
		return fmt.Errorf("write %s: %w", w, err)
	}
	how, options := types.ApplyPatchType, metav1.PatchOptions{FieldManager: w.Manager}
	if w.Subresource == "scale" && strings.Contains(mapping.GroupVersionKind.Group, ".") {
		how = types.MergePatchType
	} else {
		force := w.ResourceVersion != "" // mayTake has judged the owners of this very version
		options.Force = &force
	}
	_, err = c.resource(mapping, w.Namespace).Patch(ctx, w.Name, how, raw, options, w.subresources()...)
	if err != nil {
		return apiclient.Classify(fmt.Errorf("write %s: %w", w, err))
	}
	return nil
}

// read is the object as the API server has it now; of a subresource, that one.
func (c *Cluster) read(ctx context.Context, w write) (*unstructured.Unstructured, error) {
	mapping, err := c.Client.Kinds.Find(w.APIVersion, w.Kind)
	if err != nil {
		return nil, err
	}
	o, err := c.resource(mapping, w.Namespace).Get(ctx, w.Name, metav1.GetOptions{}, w.subresources()...)
	if err != nil {
		return nil, apiclient.Classify(fmt.Errorf("read %s: %w", w, err))
	}
	return o, nil
}

// object is what is sent.
func (w write) object() map[string]any {
	o := map[string]any{}
	for k, v := range w.Set {
		o[k] = v
	}
	meta := map[string]any{}
	if m, ok := w.Set["metadata"].(map[string]any); ok {
		for k, v := range m {
			meta[k] = v
		}
	}
	meta["name"] = w.Name
	if w.Namespace != "" {
		meta["namespace"] = w.Namespace
	}
	if w.ResourceVersion != "" {
		meta["resourceVersion"] = w.ResourceVersion
	}
	if w.UID != "" {
		meta["uid"] = w.UID
	}
	o["metadata"] = meta
	if w.Subresource == "scale" {
		o["apiVersion"], o["kind"] = "autoscaling/v1", "Scale"
	} else {
		o["apiVersion"], o["kind"] = w.APIVersion, w.Kind
	}
	return o
}

// undo puts the fields back to what they were, if they are still as we wrote them:
// whoever wrote them since keeps them. Fields that were not there are given up,
// which removes them.
func (c *Cluster) undo(ctx context.Context, w write) error {
	now, err := c.read(ctx, w)
	if err != nil {
		return err
	}
	if fields := w.fields(now); !same(fields, w.wanted()) {
		if same(fields, w.Before) {
			return nil
		}
		return fmt.Errorf("undo %s: %w: somebody else has written it since", w, ErrMoved)
	}
	back := w
	back.Set, back.Before, back.After = w.Before, w.wanted(), nil
	back.ResourceVersion, back.UID = now.GetResourceVersion(), string(now.GetUID())
	return c.apply(ctx, back)
}
