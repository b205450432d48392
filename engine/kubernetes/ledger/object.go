package ledger

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
)

const (
	// APIVersion and Kind identify the custom resource.
	APIVersion = "scanflow.dev/v1alpha1"
	Kind       = "Ledger"

	labelInstall = "scanflow.dev/install"
	labelLog     = "scanflow.dev/ledger"
	labelPart    = "scanflow.dev/part" // head or segment
	partHead     = "head"
	partSegment  = "segment"
)

var resource = schema.GroupVersionResource{Group: "scanflow.dev", Version: "v1alpha1", Resource: "ledgers"}

// spec is the content of an object. Writer and Seq together identify the write that made it.
type spec struct {
	Term     int64    `json:"term"`
	Writer   string   `json:"writer"`
	Seq      int64    `json:"seq"`
	Sealed   bool     `json:"sealed,omitempty"`
	Segments []string `json:"segments,omitempty"`
	Bases    int      `json:"bases,omitempty"`
	Records  []string `json:"records,omitempty"`
}

// object is an object as last seen, with the uncertain writes to it.
type object struct {
	name, uid, version string
	labels             map[string]string
	spec               spec
	uncertain          []uncertainWrite
}

// objectOverhead is the size of an object without its records.
const objectOverhead = 4 << 10

func (o *object) size() int {
	n := objectOverhead
	for _, r := range o.spec.Records {
		n += len(r) + 4
	}
	return n
}

// store sends the ledger's requests.
type store struct {
	objects dynamic.ResourceInterface
	names   metadata.ResourceInterface
}

func newStore(o *Options) (*store, error) {
	names, err := metadata.NewForConfig(o.Client.Config)
	if err != nil {
		return nil, fmt.Errorf("connect to the Kubernetes API server: %w", err)
	}
	return &store{o.Client.Dynamic.Resource(resource).Namespace(o.Namespace), names.Resource(resource).Namespace(o.Namespace)}, nil
}

func (s *store) get(ctx context.Context, name string) (*object, error) {
	u, err := s.objects.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return decodeObject(u)
}

func decodeObject(u *unstructured.Unstructured) (*object, error) {
	o := &object{name: u.GetName(), uid: string(u.GetUID()), version: u.GetResourceVersion(), labels: u.GetLabels()}
	body, _, err := unstructured.NestedMap(u.Object, "spec")
	if err == nil {
		err = runtime.DefaultUnstructuredConverter.FromUnstructured(body, &o.spec)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger object %s: %w", o.name, err)
	}
	return o, nil
}

func (s *store) create(ctx context.Context, o *object, sp spec) (*object, error) {
	u, err := encodeObject(o, sp)
	if err != nil {
		return nil, err
	}
	if u, err = s.objects.Create(ctx, u, metav1.CreateOptions{}); err != nil {
		return nil, err
	}
	return decodeObject(u)
}

// update changes an object on its last seen resourceVersion, and returns the new one.
func (s *store) update(ctx context.Context, o *object, sp spec) (string, error) {
	u, err := encodeObject(o, sp)
	if err != nil {
		return "", err
	}
	u.SetResourceVersion(o.version)
	if u, err = s.objects.Update(ctx, u, metav1.UpdateOptions{}); err != nil {
		return "", err
	}
	return u.GetResourceVersion(), nil
}

func encodeObject(o *object, sp spec) (*unstructured.Unstructured, error) {
	body, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&sp)
	if err != nil {
		return nil, fmt.Errorf("ledger object %s: %w", o.name, err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": APIVersion, "kind": Kind, "spec": body}}
	u.SetName(o.name)
	u.SetLabels(o.labels)
	return u, nil
}

func (s *store) remove(ctx context.Context, name string) error {
	return s.objects.Delete(ctx, name, metav1.DeleteOptions{})
}

// heads returns the heads of all logs of an install.
func (s *store) heads(ctx context.Context, install string) ([]*object, error) {
	list, err := s.objects.List(ctx, metav1.ListOptions{LabelSelector: labelInstall + "=" + install + "," + labelPart + "=" + partHead})
	if err != nil {
		return nil, err
	}
	out := make([]*object, len(list.Items))
	for i := range list.Items {
		if out[i], err = decodeObject(&list.Items[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// segments returns the names of all segments of a log, listed by its head or not.
func (s *store) segments(ctx context.Context, log string) ([]string, error) {
	list, err := s.names.List(ctx, metav1.ListOptions{LabelSelector: labelLog + "=" + log + "," + labelPart + "=" + partSegment})
	if err != nil {
		return nil, err
	}
	out := make([]string, len(list.Items))
	for i := range list.Items {
		out[i] = list.Items[i].Name
	}
	return out, nil
}
