package main

import (
	"fmt"
	"time"

	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	defaults "k8s.io/kubernetes/pkg/apis/autoscaling/v2"
)

// replicaCase is one HorizontalPodAutoscaler and what it sees, sync by sync.
type replicaCase struct {
	Min         int32                                        `json:"min"`
	Max         int32                                        `json:"max"`
	TargetMilli int64                                        `json:"targetMilli"` // the average that each pod should have, in thousandths
	Behavior    *autoscaling.HorizontalPodAutoscalerBehavior `json:"behavior,omitempty"`
	SyncSeconds int                                          `json:"syncSeconds"`
	Steps       []replicaStep                                `json:"steps"`
}

// replicaStep is the controller's input of one sync.
type replicaStep struct {
	Replicas int32        `json:"replicas"`
	Pods     []replicaPod `json:"pods"`
}

type replicaPod struct {
	Phase    core.PodPhase `json:"phase"`
	NotReady bool          `json:"notReady,omitempty"`
	Deleting bool          `json:"deleting,omitempty"`
	Milli    *int64        `json:"milli,omitempty"` // absent: the metrics API has no value of it
}

// replicaDecision is the controller's result of one sync: the size it wrote, or the
// one that was there, and the reasons of the conditions in the status it wrote.
type replicaDecision struct {
	Desired       int32  `json:"desired"`
	Rescaled      bool   `json:"rescaled"`
	AbleToScale   string `json:"ableToScale"`
	ScalingActive string `json:"scalingActive"`
	Limited       bool   `json:"limited"`
	Limit         string `json:"limit"`
}

const (
	caseNamespace = "default"
	caseName      = "web"
	caseMetric    = "requests_per_second"
)

// autoscaler is the case's object, as the API server stores it: with its defaults.
func (c replicaCase) autoscaler() *autoscaling.HorizontalPodAutoscaler {
	hpa := &autoscaling.HorizontalPodAutoscaler{
		ObjectMeta: meta.ObjectMeta{Namespace: caseNamespace, Name: caseName},
		Spec: autoscaling.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscaling.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: caseName},
			MinReplicas:    &c.Min,
			MaxReplicas:    c.Max,
			Behavior:       c.Behavior.DeepCopy(),
			Metrics: []autoscaling.MetricSpec{{
				Type: autoscaling.PodsMetricSourceType,
				Pods: &autoscaling.PodsMetricSource{
					Metric: autoscaling.MetricIdentifier{Name: caseMetric},
					Target: autoscaling.MetricTarget{
						Type:         autoscaling.AverageValueMetricType,
						AverageValue: resource.NewMilliQuantity(c.TargetMilli, resource.DecimalSI),
					},
				},
			}},
		},
	}
	defaults.SetDefaults_HorizontalPodAutoscaler(hpa)
	return hpa
}

// pods are the step's, as the API server has them.
func (s replicaStep) pods(now time.Time) []any {
	pods := make([]any, 0, len(s.Pods))
	for i, p := range s.Pods {
		ready := core.ConditionTrue
		if p.NotReady || p.Phase != core.PodRunning {
			ready = core.ConditionFalse
		}
		pod := &core.Pod{
			ObjectMeta: meta.ObjectMeta{Namespace: caseNamespace, Name: podName(i), Labels: map[string]string{"app": caseName}},
			Status: core.PodStatus{
				Phase:      p.Phase,
				StartTime:  &meta.Time{Time: now},
				Conditions: []core.PodCondition{{Type: core.PodReady, Status: ready, LastTransitionTime: meta.Time{Time: now}}},
			},
		}
		if p.Deleting {
			pod.DeletionTimestamp = &meta.Time{Time: now}
		}
		pods = append(pods, pod)
	}
	return pods
}

func podName(i int) string { return fmt.Sprintf("%s-%d", caseName, i) }
