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
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/backoff"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// objectPatch is a set of fields of one object, for a server-side apply by one of our field
// managers to the version of the object that it was planned on. It is part of an actuator's
// plan, so it contains no secret.
type objectPatch struct {
	APIVersion  string `json:"apiVersion"`
	Kind        string `json:"kind"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	Subresource string `json:"subresource,omitempty"`
	// ResourceVersion is that of the planned version; "" creates the object, and fails if it
	// exists with other values.
	ResourceVersion string `json:"resourceVersion,omitempty"`
	UID             string `json:"uid,omitempty"`
	Manager         string `json:"manager"`
	// Set has the fields to write, without apiVersion, kind and the object's name.
	Set map[string]any `json:"set"`
	// Before has the planned version's values of those fields, as far as it has any.
	Before map[string]any `json:"before,omitempty"`
	// After has their values once written, with the API server's defaults; nil where they equal
	// Set.
	After map[string]any `json:"after,omitempty"`
}

// wanted returns the values of the fields once written.
func (w objectPatch) wanted() map[string]any {
	if w.After != nil {
		return w.After
	}
	return w.Set
}

// patchOf makes a verb's patch of an object that was read.
func patchOf(o *object, verb string, set map[string]any) objectPatch {
	return objectPatch{
		APIVersion: o.GetAPIVersion(), Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName(),
		ResourceVersion: o.GetResourceVersion(), UID: string(o.GetUID()), Manager: managerOf(verb), Set: set, Before: pick(o.Object, set),
	}
}

// ErrMoved is the error where the fields were changed between plan and act. The act is not
// done, and the loop plans again.
var ErrMoved = errors.New("it was changed after it was planned")

// maxConflicts bounds the attempts while others keep changing the object. Its status, for
// one, changes all the time.
const maxConflicts = 8

var conflictRetry = backoff.Exponential{First: 10 * time.Millisecond, Most: time.Second}

// apply sends a patch. It is idempotent. On a conflict it reads the object again:
//
//	the fields have the wanted values      done: an earlier attempt landed and its answer was lost
//	the fields have their earlier values   the patch is sent to the new version
//	otherwise                              ErrMoved, which is final
//
// An outage is a temporary error (engine.Retry), and so are too many conflicts. The checks
// can refuse to patch a newer version than the planned one.
func (c *Cluster) apply(ctx context.Context, w objectPatch, checks ...func(*unstructured.Unstructured) error) error {
	for i := range maxConflicts {
		if i > 0 && !engine.Sleep(ctx, c.Clock, conflictRetry.After(i)) {
			break
		}
		err := c.send(ctx, w)
		if !apierrors.IsConflict(err) {
			return err
		}
		now, err := c.read(ctx, w)
		if err != nil {
			return err
		}
		for _, check := range checks {
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

// fields returns an object's values of the fields that the patch sets or gives up.
func (w objectPatch) fields(o *unstructured.Unstructured) map[string]any {
	return pick(o.Object, overlay(w.Before, w.Set))
}

func (w objectPatch) String() string { return fmt.Sprintf("%s %s/%s", w.Kind, w.Namespace, w.Name) }

func (w objectPatch) subresources() []string {
	if w.Subresource == "" {
		return nil
	}
	return []string{w.Subresource}
}

// send sends a server-side apply. The scale subresource of a custom resource supports none
// (Kubernetes 1.37 can't convert it), so that gets a merge patch, with the planned
// resourceVersion as well.
func (c *Cluster) send(ctx context.Context, w objectPatch) error {
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
		force := w.ResourceVersion != "" // mayTakeOver has checked the owners in this version
		options.Force = &force
	}
	_, err = c.resource(mapping, w.Namespace).Patch(ctx, w.Name, how, raw, options, w.subresources()...)
	if err != nil {
		return apiclient.Classify(fmt.Errorf("write %s: %w", w, err))
	}
	return nil
}

// read reads the object, or its subresource.
func (c *Cluster) read(ctx context.Context, w objectPatch) (*unstructured.Unstructured, error) {
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

// object returns the request's body.
func (w objectPatch) object() map[string]any {
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

// undo restores the fields if they still have the values that we wrote. Fields that did not
// exist are given up, which removes them.
func (c *Cluster) undo(ctx context.Context, w objectPatch) error {
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

// patchKeeping is patchOf for a verb that writes different fields at different times. The
// patch names the fields that the verb has applied before as well, because a manager gives up
// what it does not name. drop removes fields from those; it may be nil.
func patchKeeping(o *object, verb string, set map[string]any, drop func(held map[string]any)) objectPatch {
	held := appliedBy(o, verb)
	keep := runtime.DeepCopyJSON(held)
	if drop != nil {
		drop(keep)
	}
	w := patchOf(o, verb, orderLike(overlay(keep, set), o.Object))
	w.Before = pick(o.Object, overlay(held, w.Set))
	return w
}
