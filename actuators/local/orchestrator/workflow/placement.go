package workflow

import (
	"cmp"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// Placement constrains the nodes of a run's pods. A template's own node selector or
// affinity overrides it.
type Placement struct {
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	Affinity     *corev1.Affinity  `json:"affinity,omitempty"`
}

// Equal reports whether two placements are equivalent.
func (p Placement) Equal(other Placement) bool { return equality.Semantic.DeepEqual(p, other) }

// Placement returns the placement of a specification.
func (s *Spec) Placement() Placement { return Placement{s.NodeSelector, s.Affinity.DeepCopy()} }

// OwnAffinity returns the name of a template whose own affinity overrides the run's; ""
// if there is none.
func (s *Spec) OwnAffinity() string {
	for i := range s.Templates {
		if s.Templates[i].Affinity != nil {
			return s.Templates[i].Name
		}
	}
	return ""
}

// PlacementCheck returns why a pod is not permitted on a node; "" if it is.
type PlacementCheck func(p Pod, node string) (reason string)

// Eviction is a running step that a new placement doesn't permit on its node.
type Eviction struct {
	Step   string // its path, or the name of the entrypoint
	Node   string
	Reason string // why the node isn't permitted
	// Blocked is why the step would not be retried after the eviction; "" if it would be.
	Blocked string
}

var (
	// ErrEnded is returned for a run that has ended, and can't be placed any more.
	ErrEnded = errors.New("it has ended")
	// ErrPlacementChanged is returned if the placement of a run is not the expected one.
	ErrPlacementChanged = errors.New("it was placed otherwise since")
)

// PlacementOf returns the current placement of a run, and its OwnAffinity. The error is
// ErrUnknownRun or ErrEnded.
func (r *Runner) PlacementOf(namespace, name string) (now Placement, own string, err error) {
	wf, err := r.active(namespace, name)
	if err != nil {
		return Placement{}, "", err
	}
	wf.mu.Lock()
	defer wf.mu.Unlock()
	return wf.rec.Template.Spec.Placement(), wf.rec.Template.Spec.OwnAffinity(), nil
}

func (r *Runner) active(namespace, name string) (*run, error) {
	wf := r.find(key{namespace, name})
	switch {
	case wf == nil:
		return nil, ErrUnknownRun
	case wf.snapshot.Load().Phase.Ended():
		return nil, ErrEnded
	}
	return wf, nil
}

// Evictions returns the running steps that would be evicted by a new placement. The error
// is ErrUnknownRun or ErrEnded.
func (r *Runner) Evictions(namespace, name string, to Placement, check PlacementCheck) ([]Eviction, error) {
	wf, err := r.active(namespace, name)
	if err != nil {
		return nil, err
	}
	wf.mu.Lock()
	defer wf.mu.Unlock()
	evicted, _ := wf.evictions(to, check)
	return evicted, nil
}

// Place changes the placement of a run for its future pods. Running steps whose node is
// no longer permitted are stopped with their grace period and retried by their
// retryStrategy, which counts as an attempt, as an evicted pod does in Argo Workflows.
// Nothing changes if a step would not be retried, or if the current placement is neither
// from nor to. With a nil check no step is stopped.
func (r *Runner) Place(namespace, name string, from, to Placement, check PlacementCheck) error {
	wf, err := r.active(namespace, name)
	if err != nil {
		return err
	}
	return wf.setPlacement(from, to, check)
}

func (r *run) setPlacement(from, to Placement, check PlacementCheck) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	spec := &r.rec.Template.Spec
	previous := spec.Placement()
	if !previous.Equal(from) && !previous.Equal(to) {
		return ErrPlacementChanged
	}
	evicted, attempts := r.evictions(to, check)
	var stuck []error
	for _, l := range evicted {
		if l.Blocked != "" {
			stuck = append(stuck, fmt.Errorf("step %s: %s", l.Step, l.Blocked))
		}
	}
	if len(stuck) > 0 {
		return errors.Join(stuck...)
	}
	spec.NodeSelector, spec.Affinity = to.NodeSelector, to.Affinity.DeepCopy()
	for i, a := range attempts {
		a.Moved, a.Stopping = true, fmt.Sprintf("moved away from node %s: %s", evicted[i].Node, evicted[i].Reason)
	}
	r.dirty = true
	r.save()
	if r.dirty { // a change that is not on disk would be lost at the next start
		spec.NodeSelector, spec.Affinity = previous.NodeSelector, previous.Affinity
		for _, a := range attempts {
			a.Moved, a.Stopping = false, ""
		}
		return errors.New("its record can't be written")
	}
	r.placementVersion++
	r.wakeUp()
	return nil
}

// evictions returns the evictions of a new placement with their attempts. mu is held.
func (r *run) evictions(to Placement, check PlacementCheck) (out []Eviction, attempts []*attempt) {
	if check == nil || r.root == nil {
		return nil, nil
	}
	r.root.walk(func(n *node) {
		s := r.rec.Steps[n.path]
		if s == nil || n.template.Container == nil {
			return
		}
		last := s.last()
		if last == nil || last.Phase.Ended() || last.Stopping != "" {
			return
		}
		if reason := check(r.placerPodAt(n, last, to), last.Node); reason != "" {
			out = append(out, Eviction{Step: n.folder(), Node: last.Node, Reason: reason, Blocked: n.template.RetryStrategy.evictionBlocked(s.Attempts)})
			attempts = append(attempts, last)
		}
	})
	return out, attempts
}

// evictionBlocked returns why a step would not be retried after an eviction; "" if it
// would be. Argo Workflows sees an evicted pod as failed or as deleted, which is a failure
// or an error, so that the strategy must retry both.
func (s *RetryStrategy) evictionBlocked(attempts []*attempt) string {
	fix := fmt.Sprintf("give it retryStrategy: {limit: N, retryPolicy: %s}", retryAlways)
	if s == nil {
		return "it has no retryStrategy, so that it would fail once it is ended; " + fix
	}
	if s.RetryPolicy != retryAlways {
		return fmt.Sprintf("its retryStrategy has the retryPolicy %s, which does not cover every end from outside; %s", cmp.Or(s.RetryPolicy, retryOnFailure), fix)
	}
	last := *attempts[len(attempts)-1]
	last.Phase, last.FinishedAt = Failed, last.StartedAt
	if retry, _, reason := s.next(append(attempts[:len(attempts)-1:len(attempts)-1], &last)); !retry {
		return reason + ", so that it would fail once it is ended; raise the limit of its retryStrategy"
	}
	return ""
}

// RunLabel is Argo Workflows' label for the name of a pod's run.
const RunLabel = "workflows.argoproj.io/workflow"

// placerPod returns an attempt's process for a Placer. mu is held.
func (r *run) placerPod(n *node, a *attempt) Pod {
	return r.placerPodAt(n, a, r.rec.Template.Spec.Placement())
}

// placerPodAt is placerPod with another placement.
func (r *run) placerPodAt(n *node, a *attempt, at Placement) Pod {
	labels := map[string]string{}
	for _, m := range []*Metadata{r.rec.Template.Spec.PodMetadata, n.template.Metadata} {
		if m != nil {
			maps.Copy(labels, m.Labels)
		}
	}
	labels[RunLabel] = r.rec.Name
	return Pod{UID: a.UID, Namespace: r.rec.Namespace, Run: r.rec.Name, Labels: labels, Spec: n.podSpec(at)}
}

// podSpec returns the specification of the node's pod before references are substituted.
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
