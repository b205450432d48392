package workflowcontroller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// stepPod is the pod of an attempt. Its goroutine (run) creates it, and then reports the
// updates of the informer (onPod) until it has ended or is deleted.
type stepPod struct {
	launcher *podLauncher
	step     workflow.StepProcess
	report   func(s pod.Status, node string)
	done     chan struct{}
	wake     chan struct{} // of capacity 1

	stopOnce, detachOnce sync.Once
	stop, detach         chan struct{}

	mu      sync.Mutex
	objects map[types.UID]*corev1.Pod // the newest objects of the pods with this name
	deleted map[types.UID]bool
	uid     types.UID // "" before it is created
}

func newStepPod(launcher *podLauncher, t workflow.StepProcess, report func(s pod.Status, node string)) *stepPod {
	return &stepPod{
		launcher: launcher, step: t, report: report, done: make(chan struct{}), wake: make(chan struct{}, 1), stop: make(chan struct{}), detach: make(chan struct{}),
		objects: map[types.UID]*corev1.Pod{}, deleted: map[types.UID]bool{},
	}
}

func (p *stepPod) name() types.NamespacedName {
	return types.NamespacedName{Namespace: p.step.Namespace, Name: p.step.Name}
}

// onPod records the newest object. It is called from the informer's goroutine.
func (p *stepPod) onPod(object *corev1.Pod, deleted bool) {
	p.mu.Lock()
	p.objects[object.UID] = object
	p.deleted[object.UID] = p.deleted[object.UID] || deleted
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run creates the pod, and reports its status until it has ended or is detached.
func (p *stepPod) run() {
	defer close(p.done)
	err := p.create()
	switch {
	case errors.Is(err, errStopping):
		p.report(pod.Status{Phase: corev1.PodFailed, Reason: workflow.ReasonNeverStarted, Message: "its pod was not created"}, "")
		return
	case err != nil:
		p.report(pod.Status{Phase: corev1.PodFailed, Message: err.Error()}, "")
		return
	}
	select {
	case <-p.stop: // called while there was no pod to delete yet
		p.remove(nil)
	default:
	}
	started := p.step.Started
	for {
		p.mu.Lock()
		object, deleted := p.objects[p.uid], p.deleted[p.uid]
		p.mu.Unlock()
		if object != nil {
			s := statusOfPod(object)
			ended := s.Phase == corev1.PodSucceeded || s.Phase == corev1.PodFailed
			started = started || s.Phase != corev1.PodPending
			if deleted && !ended {
				s = pod.Status{Phase: corev1.PodFailed, Message: "pod deleted"}
				if !started { // Argo's controller recreates the pod of a pending node
					s.Reason, s.Message = workflow.ReasonNeverStarted, "its pod was deleted before it ran, and is created again"
				}
			}
			p.report(s, object.Spec.NodeName)
			if ended || deleted {
				return
			}
		}
		select {
		case <-p.wake:
		case <-p.detach:
			return
		}
	}
}

// create creates the pod, or finds the one that was created for this attempt.
func (p *stepPod) create() error {
	api := p.launcher.core.Pods(p.step.Namespace)
	for {
		var created *corev1.Pod
		err := error(apierrors.NewNotFound(corev1.Resource("pods"), p.step.Name))
		if !p.step.Started {
			created, err = api.Create(p.launcher.ctx, p.object(), metav1.CreateOptions{FieldManager: "workflow-controller"})
		}
		if apierrors.IsAlreadyExists(err) || p.step.Started {
			created, err = api.Get(p.launcher.ctx, p.step.Name, metav1.GetOptions{})
		}
		switch {
		case err == nil && created.Labels[attemptLabel] == p.step.UID:
			p.mu.Lock()
			p.uid = created.UID
			if p.objects[created.UID] == nil {
				p.objects[created.UID] = created
			}
			p.mu.Unlock()
			return nil
		case p.step.Started && (err == nil || apierrors.IsNotFound(err)):
			return errors.New("pod deleted")
		case err != nil && (apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err)):
			return fmt.Errorf("create its pod: %w", err)
		case err != nil && !apierrors.IsNotFound(err):
			p.launcher.Log.Warn("can't create a step's pod; retrying", "pod", p.name().String(), "error", err)
		}
		if !p.waitRetry() {
			return errStopping
		}
	}
}

func (p *stepPod) waitRetry() bool {
	timer, stopTimer := p.launcher.Clock.Timer(retryInterval)
	defer stopTimer()
	select {
	case <-timer:
		return true
	case <-p.wake: // an earlier pod of the same name may have been deleted
		return true
	case <-p.stop:
	case <-p.detach:
	case <-p.launcher.ctx.Done():
	}
	return false
}

// attemptLabel is the attempt's UID. It distinguishes the pods of two attempts of one name.
const attemptLabel = "scanflow.dev/attempt"

// object returns the pod to create.
func (p *stepPod) object() *corev1.Pod {
	yes, no := true, false
	o := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.step.Namespace, Name: p.step.Name, Labels: map[string]string{}, Annotations: map[string]string{}},
		Spec:       *p.step.Spec.DeepCopy(),
	}
	maps.Copy(o.Labels, p.step.Labels)
	maps.Copy(o.Annotations, p.step.Annotations)
	o.Labels[attemptLabel] = p.step.UID
	run := &workflow.Run{Name: p.step.Run}
	node := nodeName(run, p.step.Step)
	if p.step.Retries {
		node = fmt.Sprintf("%s(%d)", node, p.step.Attempt)
	}
	o.Annotations[nodeNameAnnotation], o.Annotations[nodeIDAnnotation] = node, nodeID(run, node)
	o.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "argoproj.io/v1alpha1", Kind: "Workflow", Name: p.step.Run, UID: types.UID(p.step.Identity), Controller: &yes, BlockOwnerDeletion: &yes,
	}}
	o.Spec.AutomountServiceAccountToken = &no
	c := &o.Spec.Containers[0]
	c.Name = "main"
	if c.Image == "" {
		c.Image = "none"
	}
	return o
}

// Stop deletes the pod, and returns when it has ended. When ctx ends, it force-deletes it.
func (p *stepPod) Stop(ctx context.Context) error {
	p.stopOnce.Do(func() { close(p.stop) })
	p.remove(nil)
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	}
	now := int64(0)
	p.remove(&now)
	select {
	case <-p.done:
	case <-p.launcher.ctx.Done():
	}
	return nil
}

// remove deletes the pod if it was created.
func (p *stepPod) remove(grace *int64) {
	p.mu.Lock()
	uid := p.uid
	p.mu.Unlock()
	if uid == "" {
		return
	}
	err := p.launcher.core.Pods(p.step.Namespace).Delete(p.launcher.ctx, p.step.Name, metav1.DeleteOptions{
		GracePeriodSeconds: grace, Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		p.launcher.Log.Warn("can't delete a step's pod", "pod", p.name().String(), "error", err)
	}
}

// Detach stops watching the pod, and leaves it running.
func (p *stepPod) Detach() {
	p.detachOnce.Do(func() { close(p.detach) })
	<-p.done
}
