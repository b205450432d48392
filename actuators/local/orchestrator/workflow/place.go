package workflow

import (
	"cmp"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// Placement is where the pods of a run may go. A template that has a node selector or an
// affinity of its own goes by that instead.
type Placement struct {
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	Affinity     *corev1.Affinity  `json:"affinity,omitempty"`
}

// Same reports whether two placements say the same.
func (p Placement) Same(other Placement) bool { return equality.Semantic.DeepEqual(p, other) }

// Placement is where the pods of a specification may go.
func (s *Spec) Placement() Placement { return Placement{s.NodeSelector, s.Affinity.DeepCopy()} }

// OwnAffinity is a template whose own affinity counts instead of the run's; "" if there
// is none.
func (s *Spec) OwnAffinity() string {
	for i := range s.Templates {
		if s.Templates[i].Affinity != nil {
			return s.Templates[i].Name
		}
	}
	return ""
}

// Staying says why a pod may not be on a node; "" is that it may.
type Staying func(p Pod, node string) (why string)

// Leaver is a step that runs where it may not be.
type Leaver struct {
	Step string // its path; the entrypoint's name for that
	Node string
	Why  string // it may not be there
	// Stuck says why the step would not be begun again once it is ended; "" where it
	// would be.
	Stuck string
}

var (
	// ErrEnded says that a run has ended, so that nothing of it can be placed.
	ErrEnded = errors.New("it has ended")
	// ErrPlaced says that a run is placed otherwise than was expected.
	ErrPlaced = errors.New("it was placed otherwise since")
)

// PlacementOf is where the pods of a run may go now, and the template whose own affinity
// counts instead. The error is ErrUnknownRun or ErrEnded.
func (r *Runner) PlacementOf(namespace, name string) (now Placement, own string, err error) {
	one, err := r.underWay(namespace, name)
	if err != nil {
		return Placement{}, "", err
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	return one.rec.Template.Spec.Placement(), one.rec.Template.Spec.OwnAffinity(), nil
}

func (r *Runner) underWay(namespace, name string) (*run, error) {
	one := r.find(key{namespace, name})
	switch {
	case one == nil:
		return nil, ErrUnknownRun
	case one.seen.Load().Phase.Ended():
		return nil, ErrEnded
	}
	return one, nil
}

// Leavers are the steps of a run that would run where they may not be, were the run
// placed so. The error is ErrUnknownRun or ErrEnded.
func (r *Runner) Leavers(namespace, name string, to Placement, may Staying) ([]Leaver, error) {
	one, err := r.underWay(namespace, name)
	if err != nil {
		return nil, err
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	leavers, _ := one.leavers(to, may)
	return leavers, nil
}

// Place has the pods of a run that are still to come go where to says. Steps that run
// where they may not be are ended with their grace, and begun again by their
// retryStrategy: that counts as one of its attempts, as it does in Argo Workflows, where
// a pod that was evicted is one. Nothing is changed where a step would not be begun
// again, or where the run is placed neither as from says nor as to. may is nil where no
// step is to be ended.
func (r *Runner) Place(namespace, name string, from, to Placement, may Staying) error {
	one, err := r.underWay(namespace, name)
	if err != nil {
		return err
	}
	return one.place(from, to, may)
}

func (r *run) place(from, to Placement, may Staying) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	spec := &r.rec.Template.Spec
	was := spec.Placement()
	if !was.Same(from) && !was.Same(to) {
		return ErrPlaced
	}
	leavers, attempts := r.leavers(to, may)
	var stuck []error
	for _, l := range leavers {
		if l.Stuck != "" {
			stuck = append(stuck, fmt.Errorf("step %s: %s", l.Step, l.Stuck))
		}
	}
	if len(stuck) > 0 {
		return errors.Join(stuck...)
	}
	spec.NodeSelector, spec.Affinity = to.NodeSelector, to.Affinity.DeepCopy()
	for i, a := range attempts {
		a.Moved, a.Ending = true, fmt.Sprintf("moved away from node %s: %s", leavers[i].Node, leavers[i].Why)
	}
	r.dirty = true
	r.save()
	if r.dirty { // a move that is not on disk would be forgotten by the next Runner
		spec.NodeSelector, spec.Affinity = was.NodeSelector, was.Affinity
		for _, a := range attempts {
			a.Moved, a.Ending = false, ""
		}
		return errors.New("its record can't be written")
	}
	r.placed++
	r.poke()
	return nil
}

// leavers are the steps that run where they may not be, with their attempts. mu is held.
func (r *run) leavers(to Placement, may Staying) (out []Leaver, attempts []*attempt) {
	if may == nil || r.root == nil {
		return nil, nil
	}
	r.root.walk(func(n *node) {
		s := r.rec.Steps[n.path]
		if s == nil || n.template.Container == nil {
			return
		}
		last := s.last()
		if last == nil || last.Phase.Ended() || last.Ending != "" {
			return
		}
		if why := may(r.podPlaced(n, last, to), last.Node); why != "" {
			out = append(out, Leaver{Step: n.folder(), Node: last.Node, Why: why, Stuck: n.template.RetryStrategy.stuck(s.Attempts)})
			attempts = append(attempts, last)
		}
	})
	return out, attempts
}

// stuck says why a step whose last attempt is ended from outside would not be tried
// again; "" where it would be. Argo Workflows takes such an end for a failure or for an
// error, as it comes to see it (the pod has failed, or is gone), so both must be retried.
func (s *RetryStrategy) stuck(attempts []*attempt) string {
	fix := fmt.Sprintf("give it retryStrategy: {limit: N, retryPolicy: %s}", retryAlways)
	if s == nil {
		return "it has no retryStrategy, so that it would fail once it is ended; " + fix
	}
	if s.RetryPolicy != retryAlways {
		return fmt.Sprintf("its retryStrategy has the retryPolicy %s, which does not cover every end from outside; %s", cmp.Or(s.RetryPolicy, retryOnFailure), fix)
	}
	last := *attempts[len(attempts)-1]
	last.Phase, last.FinishedAt = Failed, last.StartedAt
	if again, _, why := s.next(append(attempts[:len(attempts)-1:len(attempts)-1], &last)); !again {
		return why + ", so that it would fail once it is ended; raise the limit of its retryStrategy"
	}
	return ""
}

// RunLabel, on every pod of a run, is the run's name, as Argo Workflows has it.
const RunLabel = "workflows.argoproj.io/workflow"

// pod is the process as a Placer sees it. mu is held.
func (r *run) pod(n *node, a *attempt) Pod {
	return r.podPlaced(n, a, r.rec.Template.Spec.Placement())
}

// podPlaced is the pod with the run's new placement.
func (r *run) podPlaced(n *node, a *attempt, at Placement) Pod {
	labels := map[string]string{}
	for _, m := range []*Metadata{r.rec.Template.Spec.PodMetadata, n.template.Metadata} {
		if m != nil {
			maps.Copy(labels, m.Labels)
		}
	}
	labels[RunLabel] = r.rec.Name
	return Pod{UID: a.UID, Namespace: r.rec.Namespace, Run: r.rec.Name, Labels: labels, Spec: n.podSpec(at)}
}

// podSpec describes the process, before anything is substituted.
func (n *node) podSpec(at Placement) *corev1.PodSpec {
	spec := &corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{*n.template.Container.DeepCopy()},
		NodeSelector: at.NodeSelector, Affinity: at.Affinity,
	}
	if n.template.NodeSelector != nil {
		spec.NodeSelector = n.template.NodeSelector
	}
	if n.template.Affinity != nil {
		spec.Affinity = n.template.Affinity
	}
	return spec
}
