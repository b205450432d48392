package clusterview

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// podObstacle says why a pod is no ready replica.
type podObstacle struct {
	reason string
	// since is the creation of the pod, or the time by which it should have been deleted.
	since       time.Time
	transient   bool // every pod passes through this state
	terminating bool
}

// maxReason bounds the reason of one pod, in bytes: a scheduler explains each node.
const maxReason = 240

// podObstacleOf returns why a pod is no ready replica; nil where it is one, or has ended. It
// decodes the fields that it needs.
func podObstacleOf(d decodedObject) *podObstacle {
	if p, typed := d.metadata.(*corev1.Pod); typed {
		return typedPodObstacle(p)
	}
	u, ok := d.metadata.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	var p corev1.Pod
	spec, _ := u.Object["spec"].(map[string]any)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(map[string]any{
		"metadata": u.Object["metadata"], "status": u.Object["status"],
		"spec": map[string]any{"nodeName": spec["nodeName"], "schedulerName": spec["schedulerName"]},
	}, &p); err != nil {
		return nil
	}
	return typedPodObstacle(&p)
}

func typedPodObstacle(p *corev1.Pod) *podObstacle {
	o := &podObstacle{since: p.CreationTimestamp.Time}
	switch {
	case p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed:
		return nil
	case p.DeletionTimestamp != nil:
		o.since, o.terminating, o.transient = p.DeletionTimestamp.Time, true, true
		o.reason = "Terminating" + onNode(p)
		if len(p.Finalizers) > 0 {
			o.reason += ", with the finalizers " + strings.Join(p.Finalizers, ", ")
		}
		return o
	}
	o.reason, o.transient = notReady(p)
	if o.reason == "" {
		return nil
	}
	o.reason = strings.Clone(clip(o.reason))
	return o
}

func onNode(p *corev1.Pod) string {
	if p.Spec.NodeName == "" {
		return ""
	}
	return " on node " + p.Spec.NodeName
}

func notReady(p *corev1.Pod) (reason string, transient bool) {
	ready, scheduled := podCondition(p, corev1.PodReady), podCondition(p, corev1.PodScheduled)
	switch {
	case ready != nil && ready.Status == corev1.ConditionTrue:
		return "", false
	case scheduled != nil && scheduled.Status == corev1.ConditionFalse:
		message, _, _ := strings.Cut(scheduled.Message, " preemption: ")
		return joined(cmp.Or(scheduled.Reason, corev1.PodReasonUnschedulable), message), false
	case p.Spec.NodeName == "":
		return "Pending: no scheduler has taken it up (schedulerName " + p.Spec.SchedulerName + ")", true
	case p.Status.Reason != "" && p.Status.Phase == corev1.PodPending: // a kubelet that does not admit it
		return joined(p.Status.Reason, p.Status.Message), false
	}
	var starting string
	for _, list := range []struct {
		what     string
		statuses []corev1.ContainerStatus
	}{{"init container", p.Status.InitContainerStatuses}, {"container", p.Status.ContainerStatuses}} {
		for i := range list.statuses {
			c := &list.statuses[i]
			why, passing := containerObstacle(c)
			switch {
			case why != "" && !passing:
				return strings.Replace(why, "CONTAINER", list.what+" "+c.Name, 1), false
			case why != "" && starting == "":
				starting = strings.Replace(why, "CONTAINER", list.what+" "+c.Name, 1)
			case list.what == "init container" && starting == "" && c.State.Running != nil && (c.Started == nil || !*c.Started):
				starting = "init container " + c.Name + " has not ended" // a sidecar counts once it has started
			}
		}
	}
	if starting != "" {
		return starting, true
	}
	if ready != nil && ready.Reason == "ReadinessGatesNotReady" {
		return joined("running, not ready", ready.Message), true
	}
	if p.Status.Phase != corev1.PodRunning {
		return "ContainerCreating" + onNode(p), true
	}
	return "running, not ready", true
}

// containerObstacle returns why a container is not ready, with CONTAINER in the place of its
// name. An image that can't be pulled, and a crash loop, have the same words in each of the
// states between which they change.
func containerObstacle(c *corev1.ContainerStatus) (reason string, transient bool) {
	if c.Ready {
		return "", false
	}
	waiting, ended := c.State.Waiting, c.State.Terminated
	if ended == nil {
		ended = c.LastTerminationState.Terminated
	}
	switch {
	case waiting != nil && (waiting.Reason == "ErrImagePull" || waiting.Reason == "ImagePullBackOff"):
		message := strings.TrimPrefix(waiting.Message, fmt.Sprintf("Back-off pulling image %q", c.Image))
		message = strings.TrimPrefix(strings.TrimPrefix(message, ": "), "ErrImagePull: ")
		return joined("ImagePullBackOff: CONTAINER, image "+c.Image, message), false
	case waiting != nil && (waiting.Reason == "ContainerCreating" || waiting.Reason == "PodInitializing"):
		return waiting.Reason + ": CONTAINER", true
	case waiting != nil && waiting.Reason != "CrashLoopBackOff" && waiting.Reason != "":
		return joined(waiting.Reason+": CONTAINER", waiting.Message), false
	case ended == nil || ended.ExitCode == 0 && c.RestartCount == 0 || ended.ExitCode == 0 && (waiting == nil || waiting.Reason != "CrashLoopBackOff"):
		return "", false // it has not ended yet, or as it should
	}
	reason = fmt.Sprintf("CONTAINER ended with exit code %d", ended.ExitCode)
	if ended.Reason != "" && ended.Reason != "Error" {
		reason += ", " + ended.Reason
	}
	if ended.Reason == "StartError" || ended.Reason == "ContainerCannotRun" { // the runtime's words, not the program's
		reason = joined(reason, ended.Message)
	}
	if c.RestartCount > 0 {
		reason = "CrashLoopBackOff: " + reason
	}
	return reason, false
}

func podCondition(p *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if c := &p.Status.Conditions[i]; c.Type == kind {
			return c
		}
	}
	return nil
}

// joined is "reason: message", or the one that is there.
func joined(reason, message string) string {
	message = strings.Join(strings.Fields(message), " ")
	if reason == "" || message == "" {
		return reason + message
	}
	return reason + ": " + message
}

func clip(text string) string {
	if len(text) <= maxReason {
		return text
	}
	return strings.ToValidUTF8(text[:maxReason], "") + "..."
}
