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

// placePlan is the plan of `place`: a write to the object that is placed, and for each run under way
// another, and the pods of it that have to leave.
type placePlan struct {
	Write *write    `json:"write,omitempty"`
	Runs  []runMove `json:"runs,omitempty"`
}

// runMove is a run that is placed.
type runMove struct {
	Write  write                `json:"write"`
	Terms  verbparams.Placement `json:"terms"`
	Leaves []leaver             `json:"leaves,omitempty"`
}

// leaver is a pod of a run that is evicted.
type leaver struct {
	Pod  string `json:"pod"`
	UID  string `json:"uid"`
	Node string `json:"node,omitempty"` // the host; "" for one that waits for it
	ID   string `json:"id"`             // of Argo's node
	Step string `json:"step"`
	Why  string `json:"why"`
}

// planRuns plans the move of the runs that are meant. It is an error, and nothing is
// planned, where a step that has to leave would not be tried again.
func (a placer) planRuns(ctx context.Context, p engine.Proposal, w verbparams.Place) (runs []runMove, diff []string, err error) {
	if err := refuse(p, cannotMove(w.Placement)); err != nil {
		return nil, nil, err
	}
	objects, err := a.runsOf(ctx, p, w)
	if err != nil {
		return nil, nil, err
	}
	where, err := a.lookAround(ctx, p.Target.Namespace, w.Placement)
	if err != nil {
		return nil, nil, err
	}
	var errs []error
	for _, o := range objects {
		run, words, err := a.planRun(ctx, o, p, w, where)
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

// errRunEnded says that nothing of a run can be placed any more.
var errRunEnded = errors.New("it has ended")

// runsOf are the runs that are meant: one, or those of a template that have not ended.
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

func (a placer) planRun(ctx context.Context, o *object, p engine.Proposal, w verbparams.Place, where *around) (*runMove, []string, error) {
	spec, run, err := placedSpecs(o)
	if err != nil {
		return nil, nil, err
	}
	if by := ownAffinity(run.spec); by != "" && (w.AntiAffinity != nil || w.Affinity != nil) {
		return nil, nil, fmt.Errorf("its template %s has an affinity of its own, which counts instead of the workflow's: write the term there", by)
	}
	write, diff, err := planTerms(o, p, w, spec...)
	if err != nil {
		return nil, nil, err
	}
	out := &runMove{Write: write, Terms: w.Placement}
	if out.Leaves, err = a.leaversOf(ctx, o, run, w.Placement, where); err != nil {
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

// placedSpecs are where a run says which nodes its pods may run on: its own specification,
// and what Argo's controller has stored, by which it makes the pods.
func placedSpecs(o *object) (at [][]string, run *argoRun, err error) {
	at = [][]string{{"spec"}}
	if _, has, _ := unstructured.NestedMap(o.Object, "status", storedSpecField); has {
		at = append(at, []string{"status", storedSpecField})
	}
	run, err = argoRunOf(o.Unstructured)
	return at, run, err
}

// planTerms plans the write of terms to several parts of one object, each of which is a
// pod's specification as far as placement goes. diff has what is new, said once.
func planTerms(o *object, p engine.Proposal, w verbparams.Place, at ...[]string) (write, []string, error) {
	set, paths := map[string]any{}, [][]any{}
	var words []string
	for _, part := range at {
		spec, _, err := unstructured.NestedMap(o.Object, part...)
		if err != nil {
			return write{}, nil, fmt.Errorf("read %s: %w", strings.Join(part, "."), err)
		}
		held, _, _ := unstructured.NestedMap(heldBy(o, "place"), part...)
		next := placing{spec: spec, held: held}
		next.add(w.Placement)
		for _, e := range next.edits {
			path := append(slices.Clone(part), e.path...)
			steps := make([]any, len(path))
			for i := range path {
				steps[i] = path[i]
			}
			paths, words = append(paths, steps), append(words, e.words)
			if err := unstructured.SetNestedField(set, e.value, path...); err != nil {
				return write{}, nil, fmt.Errorf("write %s: %w", strings.Join(path, "."), err)
			}
		}
	}
	whose, err := takeAll(o, "place", p, paths)
	if err != nil {
		return write{}, nil, err
	}
	var diff []string
	for i := range words {
		if line := words[i] + whose[i]; !slices.ContainsFunc(diff, func(said string) bool { return strings.HasPrefix(said, words[i]) }) {
			diff = append(diff, line)
		}
	}
	return writeKeeping(o, "place", set, nil), diff, nil
}

// leaversOf are the pods of a run that are where they may no longer be, and those that
// wait for a node by terms that no longer hold.
func (a placer) leaversOf(ctx context.Context, o *object, run *argoRun, p verbparams.Placement, where *around) (out []leaver, err error) {
	list, err := a.podsOf(ctx, o.GetNamespace(), runLabel+"="+o.GetName())
	if err != nil {
		return nil, err
	}
	var stuck []error
	for i := range list {
		pod := &list[i]
		if podEnded(pod) || pod.GetDeletionTimestamp() != nil {
			continue
		}
		id := pod.GetAnnotations()[nodeIDAnnotation]
		if id == "" { // of Argo before 3.4, where the pod is called as the node is
			id = pod.GetName()
		}
		l := leaver{Pod: pod.GetName(), UID: string(pod.GetUID()), Node: nodeOf(pod), ID: id, Step: stepOf(run.nodes[id], id)}
		terms := run.termsOf(id, p)
		if l.Node == "" {
			if !placedIn(pod, terms) {
				out = append(out, l)
			}
			continue
		}
		if l.Why = where.forbids(pod, terms.NodeSelector); l.Why == "" {
			continue
		}
		if why := run.stuck(id, a.Clock.Now()); why != "" {
			stuck = append(stuck, fmt.Errorf("its step %s can't leave node %s: %s", l.Step, l.Node, why))
		}
		out = append(out, l)
	}
	return out, errors.Join(stuck...)
}

// termsOf are those of a placement that the pods of a node get: a node selector of its
// template counts instead of the run's.
func (r *argoRun) termsOf(id string, p verbparams.Placement) verbparams.Placement {
	if r.templateOf(r.nodes[id])["nodeSelector"] != nil {
		p.NodeSelector = nil
	}
	return p
}

// placedIn reports whether a pod has the terms already.
func placedIn(pod *unstructured.Unstructured, p verbparams.Placement) bool {
	spec, _, _ := unstructured.NestedMap(pod.Object, "spec")
	next := placing{spec: spec}
	next.add(p)
	return len(next.edits) == 0
}
