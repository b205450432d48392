package clusterview

import (
	"regexp"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// PodObstacle says why a pod of an object is no ready replica.
type PodObstacle struct {
	Pod string
	// Reason is in the words of the pod's status, short, and equal for equal reasons.
	Reason string
	// Since is the creation of the pod, or the time by which it should have been deleted.
	Since time.Time
	// Transient is set for a state that every pod passes through, such as a container that is
	// being created: it is an obstacle only when it lasts.
	Transient   bool
	Terminating bool
	// Owner is the name of its controller: for a Deployment the ReplicaSet.
	Owner  string
	Labels map[string]string
}

// PodObstacles returns why pods of an object of a kind that a fleet follows are no ready
// replicas, and how many pods it has that are not terminating. It sends no request, and
// returns nothing where the pods are not followed.
func (v *View) PodObstacles(id engine.TargetID) (out []PodObstacle, pods int) {
	inf, s := v.find(id)
	if inf == nil {
		return nil, 0
	}
	v.mu.RLock()
	of := inf.podsOf
	v.mu.RUnlock()
	if of == nil {
		return nil, 0
	}
	mapping, _ := inf.kind()
	for _, p := range of.index.of(podOwner{mapping.GroupVersionKind.Group, id.Kind, id.Namespace, id.Name}, s.selector) {
		if !p.inactive() {
			pods++
		}
		o := p.obstacle
		if o == nil {
			continue
		}
		one := PodObstacle{Pod: p.name, Reason: o.reason, Since: o.since, Transient: o.transient, Terminating: o.terminating, Labels: p.labels}
		if len(p.owners) > 0 {
			one.Owner = p.owners[0].name
		}
		out = append(out, one)
	}
	return out, pods
}

// FailedCondition returns what an object's conditions report as failed, "" where nothing is:
// a controller that can't make pods (firm), or one that gave up on its progress.
func FailedCondition(object any) (text string, firm bool) {
	for _, c := range fieldpath.Items(object, "status", "conditions") {
		kind, status := fieldpath.Text(c, "type"), fieldpath.Text(c, "status")
		detail := clip(joined(fieldpath.Text(c, "reason"), withoutPodName(fieldpath.Text(c, "message"))))
		switch {
		case (kind == "ReplicaFailure" || kind == "InvalidSpec") && status == "True":
			return detail, true
		case kind == "Progressing" && status == "False":
			text = detail
		}
	}
	return text, false
}

// A pod that a controller can't make has another name at each attempt.
var refusedPod = regexp.MustCompile(`^(Error creating: )?(?i:create pod \S+ in \S+ \S+ failed error: )?(?i:pods?) "[^"]*" is (forbidden|invalid): `)

// withoutPodName removes the name of the pod from the words in which the API server refuses to
// make it.
func withoutPodName(message string) string {
	return strings.TrimPrefix(refusedPod.ReplaceAllString(message, ""), "Error creating: ")
}

// platformReasons are the reasons of Events whose messages are the words of a controller, of
// admission, or of the kubelet. The message of any other may be a program's: a failed probe or
// lifecycle hook has its output, which may hold a secret.
var platformReasons = map[string]bool{
	"FailedCreate": true, "FailedScheduling": true, "FailedBinding": true, "ProvisioningFailed": true, "FailedMount": true, "FailedMapVolume": true,
	"FailedAttachVolume": true, "FailedCreatePodSandBox": true, "FailedCreatePodContainer": true, "NetworkNotReady": true, "VolumeResizeFailed": true,
	"InsufficientResources": true, "NodeNotReady": true, "Evicted": true, "Preempted": true,
}

// EventText returns the reason of an Event, and its message where that is the platform's own;
// short.
func EventText(event map[string]any) string {
	reason, message := fieldpath.Text(event, "reason"), ""
	if platformReasons[reason] {
		message = withoutPodName(fieldpath.Text(event, "message"))
	}
	return clip(joined(reason, message))
}
