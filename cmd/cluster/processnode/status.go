package processnode

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

// state is the state of a pod on this node.
type state struct {
	ip          string
	startTime   time.Time
	waiting     *corev1.ContainerStateWaiting // why no container can start; nil if they can
	interrupted bool                          // the node stopped before the pod had ended
	lost        bool                          // it ended with an earlier run of the node, and must not be restarted
	containers  []containerState              // in the order of containers(): the main container is the last
}

// containerState is the state of a container over all its restarts.
type containerState struct {
	name, image    string
	restartsBefore int32 // restarts during earlier runs of the node
	current        pod.Status
	id             string
	last           *corev1.ContainerStateTerminated
}

const exitCodeKilled = 137 // the exit code after SIGKILL

// initialState derives the state from what an earlier run of the node reported, whose
// processes ended with it.
func initialState(p *corev1.Pod, now time.Time) state {
	s := state{startTime: now}
	if p.Status.StartTime != nil {
		s.startTime = p.Status.StartTime.Time
	}
	s.lost = p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded
	statuses := append(slices.Clone(p.Status.InitContainerStatuses), p.Status.ContainerStatuses...)
	for _, c := range containers(&p.Spec) {
		run := containerState{name: c.Name, image: c.Image}
		at := slices.IndexFunc(statuses, func(o corev1.ContainerStatus) bool { return o.Name == c.Name })
		if at >= 0 {
			o := statuses[at]
			run.restartsBefore, run.last, run.id = o.RestartCount, o.LastTerminationState.Terminated, o.ContainerID
			if o.State.Running != nil {
				run.last = &corev1.ContainerStateTerminated{
					ExitCode: exitCodeKilled, Reason: "NodeLost", Message: "the process ended with its node's",
					StartedAt: o.State.Running.StartedAt, FinishedAt: metav1.NewTime(now), ContainerID: o.ContainerID,
				}
				s.lost = s.lost || p.Spec.RestartPolicy == corev1.RestartPolicyNever
			}
			if o.State.Terminated != nil {
				run.last = o.State.Terminated
			}
			if run.last != nil {
				run.restartsBefore++
			}
		}
		s.containers = append(s.containers, run)
	}
	return s
}

// observe updates the state from the next status of package pod.
func (c *containerState) observe(s pod.Status) {
	if s.PID != 0 {
		_, ticks, _ := strings.Cut(s.StartID, ":")
		c.id = "process://" + ticks + "-" + strconv.Itoa(s.PID)
	}
	if s.LastExit != nil && s.LastExit != c.current.LastExit {
		c.last = &corev1.ContainerStateTerminated{
			ExitCode: int32(s.LastExit.Code), Reason: "Error", ContainerID: c.id,
			StartedAt: metav1.NewTime(s.StartedAt), FinishedAt: metav1.NewTime(s.LastExit.At),
		}
		if s.LastExit.Code == 0 {
			c.last.Reason = "Completed"
		}
		if s.LastExit.Signal != "" {
			c.last.Message = s.LastExit.String()
		}
	}
	if s.Reason == "StartError" && s.Phase != corev1.PodFailed {
		at := metav1.NewTime(s.StartedAt)
		c.last = &corev1.ContainerStateTerminated{ExitCode: 127, Reason: "StartError", Message: s.Message, StartedAt: at, FinishedAt: at}
	}
	c.current = s
}

func (c *containerState) finished() bool {
	return c.current.Phase == corev1.PodSucceeded || c.current.Phase == corev1.PodFailed
}

// status returns the container's status; idle is the state of one that has not started.
func (c *containerState) status(idle *corev1.ContainerStateWaiting) corev1.ContainerStatus {
	started := c.current.Started // encoded later, when c may have changed
	out := corev1.ContainerStatus{
		Name: c.name, Image: c.image, ImageID: "process://" + c.image, ContainerID: c.id, RestartCount: c.restartsBefore + int32(c.current.Restarts),
		Ready: c.current.Ready, Started: &started,
	}
	lastState := &corev1.ContainerState{Terminated: c.last}
	switch {
	case c.finished():
		out.State.Terminated = c.last
		if c.last == nil { // ended before its first start
			out.State.Terminated = &corev1.ContainerStateTerminated{ExitCode: exitCodeKilled, Reason: "Error", Message: c.current.Message}
		}
		lastState = nil
	case c.current.PID != 0:
		out.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(c.current.StartedAt)}
	case c.current.Reason == "CrashLoopBackOff":
		out.State.Waiting = &corev1.ContainerStateWaiting{Reason: c.current.Reason, Message: c.current.Message}
	case c.current.Phase == corev1.PodRunning && c.last != nil:
		out.State.Terminated, lastState = c.last, nil
	default:
		out.State.Waiting = idle
	}
	if lastState != nil {
		out.LastTerminationState = *lastState
	}
	return out
}

func (s *state) main() *containerState { return &s.containers[len(s.containers)-1] }

func (s *state) ended() bool {
	return s.lost || s.interrupted || s.main().finished() || slices.ContainsFunc(s.containers, func(c containerState) bool { return c.current.Phase == corev1.PodFailed })
}

func (s *state) phase() corev1.PodPhase {
	switch {
	case s.ended() && !s.lost && !s.interrupted && s.main().current.Phase == corev1.PodSucceeded:
		return corev1.PodSucceeded
	case s.ended():
		return corev1.PodFailed
	}
	return cmp.Or(s.main().current.Phase, corev1.PodPending)
}

// podStatus returns the complete status of the pod. previous are the conditions of the last
// report.
func (s *state) podStatus(p *corev1.Pod, host string, previous []corev1.PodCondition, now time.Time) corev1.PodStatus {
	startTime := metav1.NewTime(s.startTime)
	out := corev1.PodStatus{Phase: s.phase(), StartTime: &startTime, HostIP: host, HostIPs: []corev1.HostIP{{IP: host}}}
	if s.ip != "" {
		out.PodIP, out.PodIPs = s.ip, []corev1.PodIP{{IP: s.ip}}
	}
	switch {
	case s.interrupted:
		out.Reason, out.Message = "Terminated", "the node was told to end before the pod had ended"
	case s.lost:
		out.Reason, out.Message = "NodeLost", "the node's process died, and the pod's with it; its restartPolicy is Never"
	}
	idle := s.waiting
	if idle == nil {
		idle = &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
		if len(s.containers) > 1 {
			idle.Reason = "PodInitializing"
		}
	}
	inits := len(s.containers) - len(p.Spec.Containers)
	initialized := true
	for i := range s.containers {
		cs := s.containers[i].status(idle)
		if s.lost && cs.State.Terminated == nil && s.containers[i].last != nil {
			cs.State, cs.LastTerminationState = corev1.ContainerState{Terminated: s.containers[i].last}, corev1.ContainerState{}
			cs.RestartCount = max(0, cs.RestartCount-1)
		}
		if i < inits {
			cs.Ready = s.containers[i].current.Phase == corev1.PodSucceeded // for an init container, ready means succeeded
			initialized = initialized && cs.Ready
			out.InitContainerStatuses = append(out.InitContainerStatuses, cs)
			continue
		}
		out.ContainerStatuses = append(out.ContainerStatuses, cs)
	}
	out.Conditions = s.conditions(p, out.Phase, initialized, previous, now)
	return out
}

func (s *state) conditions(p *corev1.Pod, phase corev1.PodPhase, initialized bool, previous []corev1.PodCondition, now time.Time) []corev1.PodCondition {
	var out []corev1.PodCondition
	add := func(kind corev1.PodConditionType, holds bool, reason, message string) {
		c := corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(now)}
		if !holds {
			c.Status, c.Reason, c.Message = corev1.ConditionFalse, reason, message
		}
		for _, o := range previous {
			if o.Type == kind && o.Status == c.Status && !o.LastTransitionTime.IsZero() {
				c.LastTransitionTime = o.LastTransitionTime
			}
		}
		out = append(out, c)
	}
	container := s.main()
	reason, message := "ContainersNotReady", "container "+container.name+" is not ready"
	switch {
	case phase == corev1.PodSucceeded:
		reason, message = "PodCompleted", ""
	case phase == corev1.PodFailed:
		reason, message = "PodFailed", ""
	case s.waiting != nil:
		message = s.waiting.Message
	case container.current.Message != "":
		message += ": " + container.current.Message
	}
	ready := phase == corev1.PodRunning && container.current.Ready
	gates := true
	for _, g := range p.Spec.ReadinessGates {
		gates = gates && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == g.ConditionType && c.Status == corev1.ConditionTrue
		})
	}
	add(corev1.PodScheduled, true, "", "")
	add(corev1.PodInitialized, initialized, "ContainersNotInitialized", "an init container has not succeeded")
	add(corev1.ContainersReady, ready, reason, message)
	if ready && !gates {
		reason, message = "ReadinessGatesNotReady", "a readiness gate is not true"
	}
	add(corev1.PodReady, ready && gates, reason, message)
	return out
}
