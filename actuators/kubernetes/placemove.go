package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// move writes the terms of a run, and then evicts its pods: their retries are made with the
// new terms. It ignores a run that has ended meanwhile.
func (a placer) move(ctx context.Context, run *runMove) error {
	if err := a.apply(ctx, run.Write, checkUnderWay); err != nil {
		if apierrors.IsNotFound(err) || errors.Is(err, errRunEnded) {
			return nil
		}
		return err
	}
	for _, l := range run.Leaves {
		if err := a.evictStep(ctx, run.Write.Namespace, l); err != nil {
			return err
		}
	}
	return nil
}

// moveBack restores the terms of a run. It evicts pods that are not scheduled, so that they
// are made with the restored terms; Argo does not count that as a retry.
func (a placer) moveBack(ctx context.Context, run *runMove) error {
	if err := a.undo(ctx, run.Write); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	}
	pods, err := a.podsOf(ctx, run.Write.Namespace, runLabel+"="+run.Write.Name)
	if err != nil {
		return err
	}
	for i := range pods {
		if pod := &pods[i]; nodeOf(pod) == "" && !podEnded(pod) && pod.GetDeletionTimestamp() == nil {
			if err := a.evictStep(ctx, pod.GetNamespace(), evictee{Pod: pod.GetName(), UID: string(pod.GetUID()), Step: pod.GetAnnotations()[nodeIDAnnotation]}); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkUnderWay(o *unstructured.Unstructured) error {
	if s := runStateOf(o); s.ended() {
		return errRunEnded
	}
	return nil
}

// evictStep evicts the pod of a step. The engine retries where a budget is in the way.
func (a placer) evictStep(ctx context.Context, namespace string, l evictee) error {
	err := a.evict(ctx, eviction{namespace, l.Pod, l.UID, "place"})
	if err == nil || pastEvicting(err) {
		return nil
	}
	return apiclient.Classify(fmt.Errorf("evict pod %s/%s of step %s: %w", namespace, l.Pod, l.Step, err))
}

// moveStatus returns how far the move of a run is.
func (a placer) moveStatus(ctx context.Context, run *runMove) (engine.Status, string, error) {
	o, err := a.read(ctx, run.Write)
	if apierrors.IsNotFound(err) {
		return engine.Done, "it is no more", nil
	}
	if err != nil {
		return "", "", err
	}
	of, err := argoRunOf(o)
	if err != nil {
		return "", "", err
	}
	pods, err := a.podsOf(ctx, o.GetNamespace(), runLabel+"="+o.GetName())
	if err != nil {
		return "", "", err
	}
	var at []string
	for _, l := range run.Leaves {
		status, detail := of.stepStatus(l, pods, run.Terms)
		if status != engine.Done {
			return status, detail, nil
		}
		at = append(at, detail)
	}
	if s := runStateOf(o); s.ended() {
		return engine.Done, "it has ended, " + s.phase, nil
	}
	if !same(run.Write.fields(o), run.Write.wanted()) {
		return engine.Failed, "it was placed by somebody else since", nil
	}
	if len(at) == 0 {
		return engine.Done, "no step had to leave its node", nil
	}
	return engine.Done, strings.Join(at, ", "), nil
}

// stepStatus returns how far the move of one step is.
func (r *argoRun) stepStatus(l evictee, pods []unstructured.Unstructured, p verbparams.Placement) (engine.Status, string) {
	for i := range pods {
		if pod := &pods[i]; string(pod.GetUID()) == l.UID && !podEnded(pod) {
			return engine.Running, fmt.Sprintf("step %s is being ended on node %s", l.Step, l.Node)
		}
	}
	id, parent := l.ID, map[string]any(nil)
	if retry, attempts := r.retryNode(l.ID); retry != nil {
		id, parent = attempts[len(attempts)-1], retry
	}
	phase, _ := parent["phase"].(string)
	switch {
	case phase == "Failed" || phase == "Error":
		return engine.Failed, fmt.Sprintf("step %s was ended and not begun again: %v", l.Step, parent["message"])
	case phase == "Succeeded":
		return engine.Done, fmt.Sprintf("step %s has ended, Succeeded", l.Step)
	case l.Node != "" && id == l.ID:
		return engine.Running, fmt.Sprintf("step %s has left node %s, and is not begun again yet", l.Step, l.Node)
	}
	for i := range pods {
		pod := &pods[i]
		if is := pod.GetAnnotations()[nodeIDAnnotation]; is != id && pod.GetName() != id || pod.GetDeletionTimestamp() != nil {
			continue
		}
		on := nodeOf(pod)
		if !placedIn(pod, r.termsOf(id, p)) {
			return engine.Failed, fmt.Sprintf("step %s was begun again by the terms from before, as Argo had not seen the others yet (node %q)", l.Step, on)
		}
		if on != "" {
			return engine.Done, fmt.Sprintf("step %s on node %s", l.Step, on)
		}
		if l.Node == "" { // it was not scheduled before, and has the new terms now
			return engine.Done, fmt.Sprintf("step %s waits for a node: %s", l.Step, unschedulable(pod))
		}
		return engine.Running, fmt.Sprintf("step %s has left node %s, and waits: %s", l.Step, l.Node, unschedulable(pod))
	}
	return engine.Running, fmt.Sprintf("step %s waits for its next pod", l.Step)
}

// unschedulable is the scheduler's message about a pod without a node.
func unschedulable(pod *unstructured.Unstructured) string {
	for _, c := range fieldpath.Maps(pod.Object, "status", "conditions") {
		if c["type"] == "PodScheduled" && c["status"] == "False" {
			return fmt.Sprint(c["message"])
		}
	}
	return "the scheduler has not looked at it yet"
}
