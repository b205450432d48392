package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// placePlan is the plan of `place`: a patch of the object to place, and of each run under
// way with the pods to evict.
type placePlan struct {
	Write *objectPatch `json:"write,omitempty"`
	Runs  []runMove    `json:"runs,omitempty"`
}

// runMove is the plan for one run.
type runMove struct {
	Write  objectPatch          `json:"write"`
	Terms  verbparams.Placement `json:"terms"`
	Leaves []evictee            `json:"leaves,omitempty"`

	takenOver []string // the managers whose terms are replaced, for the change
}

// evictee is a pod to evict.
type evictee struct {
	Pod  string `json:"pod"`
	UID  string `json:"uid"`
	Node string `json:"node,omitempty"` // "" while it is not scheduled
	ID   string `json:"id"`             // of the node in the Workflow's status
	Step string `json:"step"`
	Why  string `json:"why"`
}

// planRuns plans the move of runs. It fails, and plans nothing, where Argo would not retry
// an evicted step.
func (a placer) planRuns(ctx context.Context, p engine.Proposal, w verbparams.Place) (runs []runMove, diff []string, err error) {
	if err := refuse(p, cannotMove(w.Placement)); err != nil {
		return nil, nil, err
	}
	objects, err := a.runsOf(ctx, p, w)
	if err != nil {
		return nil, nil, err
	}
	nearby, err := a.podsAround(ctx, p.Target.Namespace, w.Placement)
	if err != nil {
		return nil, nil, err
	}
	var errs []error
	for _, o := range objects {
		run, words, err := a.planRun(ctx, o, p, w, nearby)
		if err != nil {
			errs = append(errs, fmt.Errorf("place Workflow %s/%s: %w", o.GetNamespace(), o.GetName(), err))
			continue
		}
		runs = append(runs, *run)
		if len(words) > 0 {
			diff = append(diff, "run "+o.GetName()+": "+strings.Join(words, ", "))
		}
	}
	return runs, diff, errors.Join(errs...)
}

// errRunEnded is the error for a run whose pods can't be placed any more.
var errRunEnded = errors.New("it has ended")

// runsOf returns the named run, or those of a template that have not ended.
func (a placer) runsOf(ctx context.Context, p engine.Proposal, w verbparams.Place) ([]*object, error) {
	if w.Workflow != "" {
		o, err := a.get(ctx, argoVersion, "Workflow", p.Target.Namespace, w.Workflow)
		if err != nil {
			return nil, err
		}
		if s := runStateOf(o.Unstructured); s.ended() {
			return nil, fmt.Errorf("place Workflow %s/%s: %w, %s", p.Target.Namespace, w.Workflow, errRunEnded, s.phase)
		}
		return []*object{o}, nil
	}
	mapping, err := a.Client.Kinds.Find(argoVersion, "Workflow")
	if err != nil {
		return nil, err
	}
	list, err := a.resource(mapping, p.Target.Namespace).List(ctx, metav1.ListOptions{LabelSelector: completedLabel + "!=true"})
	if err != nil {
		return nil, apiclient.Classify(fmt.Errorf("list the runs of WorkflowTemplate %s/%s: %w", p.Target.Namespace, w.Template, err))
	}
	var out []*object
	for i := range list.Items {
		o := &list.Items[i]
		ref := fieldpath.Text(o.Object, "spec", "workflowTemplateRef", "name")
		cluster, _ := fieldpath.Find(o.Object, "spec", "workflowTemplateRef", "clusterScope")
		if s := runStateOf(o); ref == w.Template && cluster != true && !s.ended() && o.GetDeletionTimestamp() == nil {
			out = append(out, &object{o, mapping})
		}
	}
	return out, nil
}

func (a placer) planRun(ctx context.Context, o *object, p engine.Proposal, w verbparams.Place, nearby *nearbyPods) (*runMove, []string, error) {
	spec, run, err := placedSpecs(o)
	if err != nil {
		return nil, nil, err
	}
	if by := ownAffinity(run.spec); by != "" && (w.AntiAffinity != nil || w.Affinity != nil) {
		return nil, nil, fmt.Errorf("its template %s has an affinity of its own, which counts instead of the workflow's: write the term there", by)
	}
	patch, diff, from, err := a.planTerms(o, p, w, spec...)
	if err != nil {
		return nil, nil, err
	}
	out := &runMove{Write: patch, Terms: w.Placement, takenOver: from}
	if out.Leaves, err = a.evicteesOf(ctx, o, run, w.Placement, nearby); err != nil {
		return nil, nil, err
	}
	for _, l := range out.Leaves {
		if l.Node == "" {
			diff = append(diff, "the pod of step "+l.Step+", which waits for a node, is made anew")
			continue
		}
		diff = append(diff, fmt.Sprintf("step %s leaves node %s (%s)", l.Step, l.Node, l.Why))
	}
	return out, diff, nil
}

// placedSpecs returns the paths in a run that decide where its pods may run: its own
// specification, and the one that Argo's controller has stored and makes the pods from.
func placedSpecs(o *object) (at [][]string, run *argoRun, err error) {
	at = [][]string{{"spec"}}
	if _, has, _ := unstructured.NestedMap(o.Object, "status", storedSpecField); has {
		at = append(at, []string{"status", storedSpecField})
	}
	run, err = argoRunOf(o.Unstructured)
	return at, run, err
}

// planTerms patches several parts of one object, each of which decides where pods may run.
// diff has each new term once.
func (c *Cluster) planTerms(o *object, p engine.Proposal, w verbparams.Place, at ...[]string) (patch objectPatch, diff, from []string, err error) {
	set, paths := map[string]any{}, []fieldpath.Path{}
	var words []string
	for _, part := range at {
		spec, _, err := unstructured.NestedMap(o.Object, part...)
		if err != nil {
			return objectPatch{}, nil, nil, fmt.Errorf("read %s: %w", strings.Join(part, "."), err)
		}
		held, _, _ := unstructured.NestedMap(appliedBy(o, "place"), part...)
		next := placement{spec: spec, held: held}
		next.add(w.Placement)
		for _, e := range next.edits {
			path := slices.Concat(part, e.path)
			paths, words = append(paths, fieldpath.Names(path...)), append(words, e.words)
			if err := unstructured.SetNestedField(set, e.value, path...); err != nil {
				return objectPatch{}, nil, nil, fmt.Errorf("write %s: %w", strings.Join(path, "."), err)
			}
		}
	}
	from, err = c.checkTakeOvers(o, "place", p, paths)
	if err != nil {
		return objectPatch{}, nil, nil, err
	}
	for i := range words {
		if line := words[i] + takeOverNote(from[i]); !slices.ContainsFunc(diff, func(line string) bool { return strings.HasPrefix(line, words[i]) }) {
			diff = append(diff, line)
		}
	}
	return patchKeeping(o, "place", set, nil), diff, from, nil
}

// evicteesOf returns the pods of a run on nodes where they may no longer be, and those that
// are not scheduled yet and lack the terms.
func (a placer) evicteesOf(ctx context.Context, o *object, run *argoRun, p verbparams.Placement, nearby *nearbyPods) (out []evictee, err error) {
	list, err := a.podsOf(ctx, o.GetNamespace(), runLabel+"="+o.GetName())
	if err != nil {
		return nil, err
	}
	var notRetried []error
	for i := range list {
		pod := &list[i]
		if podEnded(pod) || pod.GetDeletionTimestamp() != nil {
			continue
		}
		id := pod.GetAnnotations()[nodeIDAnnotation]
		if id == "" { // Argo before 3.4 names the pod like the node
			id = pod.GetName()
		}
		l := evictee{Pod: pod.GetName(), UID: string(pod.GetUID()), Node: nodeOf(pod), ID: id, Step: stepOf(run.nodes[id], id)}
		terms := run.termsOf(id, p)
		if l.Node == "" {
			if !placedIn(pod, terms) {
				out = append(out, l)
			}
			continue
		}
		if l.Why = nearby.violation(pod, terms.NodeSelector); l.Why == "" {
			continue
		}
		if why := run.notRetriedBecause(id, a.Clock.Now()); why != "" {
			notRetried = append(notRetried, fmt.Errorf("its step %s can't leave node %s: %s", l.Step, l.Node, why))
		}
		out = append(out, l)
	}
	return out, errors.Join(notRetried...)
}

// termsOf returns the terms for the pods of a node. A node selector in its template
// replaces the run's.
func (r *argoRun) termsOf(id string, p verbparams.Placement) verbparams.Placement {
	if r.templateOf(r.nodes[id])["nodeSelector"] != nil {
		p.NodeSelector = nil
	}
	return p
}

// placedIn reports whether a pod has the terms already.
func placedIn(pod *unstructured.Unstructured, p verbparams.Placement) bool {
	spec, _, _ := unstructured.NestedMap(pod.Object, "spec")
	next := placement{spec: spec}
	next.add(p)
	return len(next.edits) == 0
}
