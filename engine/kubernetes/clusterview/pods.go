package clusterview

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

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
	created     int64 // seconds since the Unix epoch, as the API server writes times
	readySince  int64 // as created; 0 where it is not ready
	images      []string
	ports       map[string]string // as engine.Pod has them
	obstacle    *podObstacle      // nil where it is ready
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

func newCachedPod(u decodedObject, intern *interner) *cachedPod {
	text := func(path ...any) string { return fieldpath.Text(u.Object, path...) }
	p := &cachedPod{
		identity: identityIn(u, intern), labels: intern.pairs(u.GetLabels()), terminating: u.GetDeletionTimestamp() != nil,
		node: intern.text(text("spec", "nodeName")), ip: text("status", "podIP"), phase: intern.text(text("status", "phase")),
	}
	p.owners, p.created = podOwners(u, intern), u.GetCreationTimestamp().Unix()
	for _, c := range fieldpath.Items(u.Object, "status", "conditions") {
		if fieldpath.Text(c, "type") == "Ready" {
			p.ready = fieldpath.Text(c, "status") == "True" && !p.terminating
			if at, err := time.Parse(time.RFC3339, fieldpath.Text(c, "lastTransitionTime")); err == nil && p.ready {
				p.readySince = at.Unix()
			}
		}
	}
	if !p.ready {
		p.obstacle = podObstacleOf(u)
	}
	for _, c := range fieldpath.Items(u.Object, "status", "containerStatuses") {
		n, _ := fieldpath.Int(c, "restartCount")
		p.restarts += int(n)
	}
	for _, c := range fieldpath.Items(u.Object, "spec", "containers") {
		p.images = append(p.images, intern.text(fieldpath.Text(c, "image")))
		p.addPorts(c, intern)
	}
	for _, c := range fieldpath.Items(u.Object, "spec", "initContainers") {
		if fieldpath.Text(c, "restartPolicy") == "Always" { // a sidecar
			p.addPorts(c, intern)
		}
	}
	return p
}

// addPorts adds a container's ports, by name and by number.
func (p *cachedPod) addPorts(container any, intern *interner) {
	for _, port := range fieldpath.Items(container, "ports") {
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
func podOwners(u decodedObject, intern *interner) []podOwner {
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
