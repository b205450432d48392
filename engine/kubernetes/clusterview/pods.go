package clusterview

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// slimPod is what is kept of a pod. It never changes.
type slimPod struct {
	identity
	labels   map[string]string
	owners   []podOwner // its controller, and whose that is
	node     string
	ip       string
	phase    string
	ready    bool
	leaving  bool
	restarts int
	images   []string
	ports    map[string]string // as engine.Pod has them
}

// podOwner is a workload, as a pod names it. The version is left out: it may differ
// from the one that the workload is followed in.
type podOwner struct{ group, kind, namespace, name string }

// DeepCopyObject makes a slimPod a runtime.Object; it is its own copy.
func (p *slimPod) DeepCopyObject() runtime.Object { return p }

// gone pods are on their way out, or have ended: they are nobody's replica.
func (p *slimPod) gone() bool { return p.leaving || p.phase == "Succeeded" || p.phase == "Failed" }

func slimPodOf(u *unstructured.Unstructured, names *commonTexts) *slimPod {
	text := func(path ...any) string { return fieldpath.Text(u.Object, path...) }
	p := &slimPod{
		identity: identityIn(u, names), labels: names.pairs(u.GetLabels()), leaving: u.GetDeletionTimestamp() != nil,
		node: names.one(text("spec", "nodeName")), ip: text("status", "podIP"), phase: names.one(text("status", "phase")),
	}
	p.owners = podOwners(u, names)
	for _, c := range fieldpath.Maps(u.Object, "status", "conditions") {
		if fieldpath.Text(c, "type") == "Ready" {
			p.ready = fieldpath.Text(c, "status") == "True" && !p.leaving
		}
	}
	for _, c := range fieldpath.Maps(u.Object, "status", "containerStatuses") {
		n, _ := fieldpath.Int(c, "restartCount")
		p.restarts += int(n)
	}
	for _, c := range fieldpath.Maps(u.Object, "spec", "containers") {
		p.images = append(p.images, names.one(fieldpath.Text(c, "image")))
		p.open(c, names)
	}
	for _, c := range fieldpath.Maps(u.Object, "spec", "initContainers") {
		if fieldpath.Text(c, "restartPolicy") == "Always" { // a sidecar
			p.open(c, names)
		}
	}
	return p
}

// open takes a container's ports, by name and by number.
func (p *slimPod) open(container map[string]any, names *commonTexts) {
	for _, port := range fieldpath.Maps(container, "ports") {
		number, ok := fieldpath.Int(port, "containerPort")
		if !ok || p.ip == "" {
			continue
		}
		if p.ports == nil {
			p.ports = map[string]string{}
		}
		text := names.one(strconv.FormatInt(number, 10))
		at := net.JoinHostPort(p.ip, text)
		p.ports[text] = at
		if name := fieldpath.Text(port, "name"); name != "" {
			p.ports[names.one(name)] = at
		}
	}
}

// podOwners are the controller of a pod, and that one's own where its name tells: a
// Deployment calls its ReplicaSets by its own name and a hash, which is also a label
// of the pods. So no ReplicaSet need be followed.
func podOwners(u *unstructured.Unstructured, names *commonTexts) []podOwner {
	for _, ref := range u.GetOwnerReferences() {
		if ref.Controller == nil || !*ref.Controller {
			continue
		}
		gv, err := schema.ParseGroupVersion(ref.APIVersion)
		if err != nil {
			return nil
		}
		direct := podOwner{names.one(gv.Group), names.one(ref.Kind), names.one(u.GetNamespace()), names.one(ref.Name)}
		root, found := strings.CutSuffix(ref.Name, "-"+u.GetLabels()["pod-template-hash"])
		if gv.Group == "apps" && ref.Kind == "ReplicaSet" && found && root != "" && !strings.HasSuffix(ref.Name, "-") {
			return []podOwner{direct, {"apps", "Deployment", direct.namespace, names.one(root)}}
		}
		return []podOwner{direct}
	}
	return nil
}

// podIndex finds pods by whose they are. The store of pods tells it of each change.
type podIndex struct {
	mu      sync.RWMutex
	byOwner map[podOwner][]*slimPod
	// byLabel is made when first asked for: only workloads that are no pod's owner
	// need it.
	byLabel map[podLabel][]*slimPod
	pods    map[*slimPod]struct{}
}

type podLabel struct{ namespace, name, value string }

func newPodIndex() *podIndex {
	return &podIndex{byOwner: map[podOwner][]*slimPod{}, pods: map[*slimPod]struct{}{}}
}

func (x *podIndex) change(before, after *slimPod) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if before != nil {
		delete(x.pods, before)
		for _, o := range before.owners {
			dropPod(x.byOwner, o, before)
		}
		if x.byLabel != nil {
			for k, v := range before.labels {
				dropPod(x.byLabel, podLabel{before.namespace, k, v}, before)
			}
		}
	}
	if after != nil {
		x.pods[after] = struct{}{}
		for _, o := range after.owners {
			x.byOwner[o] = append(x.byOwner[o], after)
		}
		x.label(after)
	}
}

func (x *podIndex) label(p *slimPod) {
	if x.byLabel == nil {
		return
	}
	for k, v := range p.labels {
		at := podLabel{p.namespace, k, v}
		x.byLabel[at] = append(x.byLabel[at], p)
	}
}

func dropPod[K comparable](from map[K][]*slimPod, at K, p *slimPod) {
	list := from[at]
	i := slices.Index(list, p)
	if i < 0 {
		return
	}
	if len(list) == 1 {
		delete(from, at)
		return
	}
	list[i], list[len(list)-1] = list[len(list)-1], nil
	from[at] = list[:len(list)-1]
}

// of is the pods of a workload, ended ones too, by name: those that it owns, or
// else those that its selector takes.
func (x *podIndex) of(owner podOwner, selector string) []*slimPod {
	x.mu.RLock()
	out := slices.Clone(x.byOwner[owner])
	x.mu.RUnlock()
	if len(out) == 0 && selector != "" {
		out = x.selected(owner.namespace, selector)
	}
	slices.SortFunc(out, func(a, b *slimPod) int { return strings.Compare(a.name, b.name) })
	return out
}

func (x *podIndex) selected(namespace, text string) []*slimPod {
	selector, err := labels.Parse(text)
	if err != nil || selector.Empty() { // an empty one takes every pod there is
		return nil
	}
	return x.matching(namespace, selector)
}

// matching are the pods of a namespace ("" is all) that a selector takes.
func (x *podIndex) matching(namespace string, selector labels.Selector) []*slimPod {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.byLabel == nil {
		x.byLabel = map[podLabel][]*slimPod{}
		for p := range x.pods {
			x.label(p)
		}
	}
	var few []*slimPod
	narrowed := false
	requirements, _ := selector.Requirements()
	for _, r := range requirements {
		values := r.ValuesUnsorted()
		if op := r.Operator(); len(values) != 1 || op != selection.Equals && op != selection.DoubleEquals && op != selection.In {
			continue // only `label = value` narrows
		}
		if namespace == "" {
			break // the labels are told apart by namespace
		}
		if list := x.byLabel[podLabel{namespace, r.Key(), values[0]}]; !narrowed || len(list) < len(few) {
			few, narrowed = list, true
		}
	}
	if !narrowed {
		for p := range x.pods {
			if namespace == "" || p.namespace == namespace {
				few = append(few, p)
			}
		}
	}
	var out []*slimPod
	for _, p := range few {
		if selector.Matches(labels.Set(p.labels)) {
			out = append(out, p)
		}
	}
	return out
}

// addPods gives a workload its pods. Those that have ended, or are on their way out,
// count in the restarts alone.
func addPods(w *engine.Workload, pods []*slimPod) {
	for _, p := range pods {
		w.Restarts += p.restarts
		if p.gone() {
			continue
		}
		w.Pods = append(w.Pods, engine.Pod{Name: p.name, Node: p.node, Ready: p.ready, Restarts: p.restarts, Ports: p.ports})
		w.Images = append(w.Images, p.images...)
	}
	slices.Sort(w.Images)
	w.Images = slices.Compact(w.Images)
}

// nodesOf is the nodes of pods, sorted, each once.
func nodesOf(pods []*slimPod) []string {
	out := []string{}
	for _, p := range pods {
		if p.node != "" && !p.gone() {
			out = append(out, p.node)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
