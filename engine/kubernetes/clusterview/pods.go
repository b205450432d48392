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

// cachedPod is the cached part of a pod. It is immutable.
type cachedPod struct {
	identity
	labels      map[string]string
	owners      []podOwner // its controller, and the controller's own
	node        string
	ip          string
	phase       string
	ready       bool
	terminating bool
	restarts    int
	images      []string
	ports       map[string]string // as engine.Pod has them
}

// podOwner identifies a workload that owns pods. It has no version, which may differ from
// the one that the workload is followed in.
type podOwner struct{ group, kind, namespace, name string }

// DeepCopyObject implements runtime.Object. Immutable pods need no copy.
func (p *cachedPod) DeepCopyObject() runtime.Object { return p }

// inactive reports whether the pod is terminating or has ended, and so is no replica.
func (p *cachedPod) inactive() bool {
	return p.terminating || p.phase == "Succeeded" || p.phase == "Failed"
}

func newCachedPod(u *unstructured.Unstructured, intern *interner) *cachedPod {
	text := func(path ...any) string { return fieldpath.Text(u.Object, path...) }
	p := &cachedPod{
		identity: identityIn(u, intern), labels: intern.pairs(u.GetLabels()), terminating: u.GetDeletionTimestamp() != nil,
		node: intern.text(text("spec", "nodeName")), ip: text("status", "podIP"), phase: intern.text(text("status", "phase")),
	}
	p.owners = podOwners(u, intern)
	for _, c := range fieldpath.Maps(u.Object, "status", "conditions") {
		if fieldpath.Text(c, "type") == "Ready" {
			p.ready = fieldpath.Text(c, "status") == "True" && !p.terminating
		}
	}
	for _, c := range fieldpath.Maps(u.Object, "status", "containerStatuses") {
		n, _ := fieldpath.Int(c, "restartCount")
		p.restarts += int(n)
	}
	for _, c := range fieldpath.Maps(u.Object, "spec", "containers") {
		p.images = append(p.images, intern.text(fieldpath.Text(c, "image")))
		p.addPorts(c, intern)
	}
	for _, c := range fieldpath.Maps(u.Object, "spec", "initContainers") {
		if fieldpath.Text(c, "restartPolicy") == "Always" { // a sidecar
			p.addPorts(c, intern)
		}
	}
	return p
}

// addPorts adds a container's ports, by name and by number.
func (p *cachedPod) addPorts(container map[string]any, intern *interner) {
	for _, port := range fieldpath.Maps(container, "ports") {
		number, ok := fieldpath.Int(port, "containerPort")
		if !ok || p.ip == "" {
			continue
		}
		if p.ports == nil {
			p.ports = map[string]string{}
		}
		text := intern.text(strconv.FormatInt(number, 10))
		at := net.JoinHostPort(p.ip, text)
		p.ports[text] = at
		if name := fieldpath.Text(port, "name"); name != "" {
			p.ports[intern.text(name)] = at
		}
	}
}

// podOwners returns a pod's controller and, for a ReplicaSet of a Deployment, that
// Deployment. A Deployment names its ReplicaSets after itself and a hash, which is also a
// label of the pods, so ReplicaSets need not be followed.
func podOwners(u *unstructured.Unstructured, intern *interner) []podOwner {
	for _, ref := range u.GetOwnerReferences() {
		if ref.Controller == nil || !*ref.Controller {
			continue
		}
		gv, err := schema.ParseGroupVersion(ref.APIVersion)
		if err != nil {
			return nil
		}
		direct := podOwner{intern.text(gv.Group), intern.text(ref.Kind), intern.text(u.GetNamespace()), intern.text(ref.Name)}
		root, found := strings.CutSuffix(ref.Name, "-"+u.GetLabels()["pod-template-hash"])
		if gv.Group == "apps" && ref.Kind == "ReplicaSet" && found && root != "" && !strings.HasSuffix(ref.Name, "-") {
			return []podOwner{direct, {"apps", "Deployment", direct.namespace, intern.text(root)}}
		}
		return []podOwner{direct}
	}
	return nil
}

// podIndex finds pods by owner and by label. The store of pods updates it.
type podIndex struct {
	mu      sync.RWMutex
	byOwner map[podOwner][]*cachedPod
	// byLabel is built on first use: only workloads that their pods don't name need it.
	byLabel map[podLabel][]*cachedPod
	pods    map[*cachedPod]struct{}
}

type podLabel struct{ namespace, name, value string }

func newPodIndex() *podIndex {
	return &podIndex{byOwner: map[podOwner][]*cachedPod{}, pods: map[*cachedPod]struct{}{}}
}

func (x *podIndex) update(before, after *cachedPod) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if before != nil {
		delete(x.pods, before)
		for _, o := range before.owners {
			removePod(x.byOwner, o, before)
		}
		if x.byLabel != nil {
			for k, v := range before.labels {
				removePod(x.byLabel, podLabel{before.namespace, k, v}, before)
			}
		}
	}
	if after != nil {
		x.pods[after] = struct{}{}
		for _, o := range after.owners {
			x.byOwner[o] = append(x.byOwner[o], after)
		}
		x.indexLabels(after)
	}
}

func (x *podIndex) indexLabels(p *cachedPod) {
	if x.byLabel == nil {
		return
	}
	for k, v := range p.labels {
		at := podLabel{p.namespace, k, v}
		x.byLabel[at] = append(x.byLabel[at], p)
	}
}

func removePod[K comparable](from map[K][]*cachedPod, at K, p *cachedPod) {
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

// of returns the pods of a workload by name, ended ones too: those that name it as their
// owner, or else those that its selector matches.
func (x *podIndex) of(owner podOwner, selector string) []*cachedPod {
	x.mu.RLock()
	out := slices.Clone(x.byOwner[owner])
	x.mu.RUnlock()
	if len(out) == 0 && selector != "" {
		out = x.selectedBy(owner.namespace, selector)
	}
	slices.SortFunc(out, func(a, b *cachedPod) int { return strings.Compare(a.name, b.name) })
	return out
}

func (x *podIndex) selectedBy(namespace, text string) []*cachedPod {
	selector, err := labels.Parse(text)
	if err != nil || selector.Empty() { // an empty one matches every pod
		return nil
	}
	return x.matching(namespace, selector)
}

// matching returns the pods of a namespace ("" is all) that a selector matches.
func (x *podIndex) matching(namespace string, selector labels.Selector) []*cachedPod {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.byLabel == nil {
		x.byLabel = map[podLabel][]*cachedPod{}
		for p := range x.pods {
			x.indexLabels(p)
		}
	}
	var candidates []*cachedPod
	narrowed := false
	requirements, _ := selector.Requirements()
	for _, r := range requirements {
		values := r.ValuesUnsorted()
		if op := r.Operator(); len(values) != 1 || op != selection.Equals && op != selection.DoubleEquals && op != selection.In {
			continue // only `label = value` is indexed
		}
		if namespace == "" {
			break // the index is by namespace
		}
		if list := x.byLabel[podLabel{namespace, r.Key(), values[0]}]; !narrowed || len(list) < len(candidates) {
			candidates, narrowed = list, true
		}
	}
	if !narrowed {
		for p := range x.pods {
			if namespace == "" || p.namespace == namespace {
				candidates = append(candidates, p)
			}
		}
	}
	var out []*cachedPod
	for _, p := range candidates {
		if selector.Matches(labels.Set(p.labels)) {
			out = append(out, p)
		}
	}
	return out
}

// addPods adds pods to a workload. Inactive pods only count in its restarts.
func addPods(w *engine.Workload, pods []*cachedPod) {
	for _, p := range pods {
		w.Restarts += p.restarts
		if p.inactive() {
			continue
		}
		w.Pods = append(w.Pods, engine.Pod{Name: p.name, Node: p.node, Ready: p.ready, Restarts: p.restarts, Ports: p.ports})
		w.Images = append(w.Images, p.images...)
	}
	slices.Sort(w.Images)
	w.Images = slices.Compact(w.Images)
}

// nodesOf returns the nodes of active pods, sorted and without duplicates.
func nodesOf(pods []*cachedPod) []string {
	out := []string{}
	for _, p := range pods {
		if p.node != "" && !p.inactive() {
			out = append(out, p.node)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
