package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing/synctest"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	scale "k8s.io/client-go/scale/fake"
	action "k8s.io/client-go/testing"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
)

// The controller manager's defaults for its horizontal-pod-autoscaler flags.
const (
	downscaleStabilization = 5 * time.Minute
	tolerance              = 0.1
	initializationPeriod   = 5 * time.Minute
	initialReadinessDelay  = 30 * time.Second
)

// decide runs the controller over the case's steps: one sync each, by its own work
// queue. It has to be called in a bubble.
func (c replicaCase) decide(ctx context.Context) ([]replicaDecision, error) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()

	seen := &seenByController{}
	client := fake.NewSimpleClientset(c.autoscaler()) // NewClientset takes 20 ms, for field management
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods()
	period := time.Duration(c.SyncSeconds) * time.Second
	apps := schema.GroupVersion{Group: "apps", Version: "v1"}
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{apps})
	mapper.Add(apps.WithKind("Deployment"), meta.RESTScopeNamespace)
	controller := podautoscaler.NewHorizontalController(ctx, client.CoreV1(), seen.scales(), client.AutoscalingV2(), mapper, seen,
		factory.Autoscaling().V2().HorizontalPodAutoscalers(), pods,
		period, downscaleStabilization, tolerance, initializationPeriod, initialReadinessDelay)

	decisions := make([]replicaDecision, 0, len(c.Steps))
	for i, step := range c.Steps {
		seen.set(step)
		if i == 0 {
			factory.Start(ctx.Done())
			defer factory.Shutdown()
			defer cancel()
			factory.WaitForCacheSync(ctx.Done())
		}
		if err := pods.Informer().GetIndexer().Replace(step.pods(time.Now()), ""); err != nil {
			return nil, err
		}
		if i == 0 {
			running.Go(func() { controller.Run(ctx, 1) })
		} else {
			time.Sleep(period / 2) // a step's changes come in the middle between two syncs
		}
		synctest.Wait()
		if seen.taken() != 1 {
			return nil, fmt.Errorf("step %d: %d syncs, not one", i, seen.taken())
		}
		hpa, err := client.AutoscalingV2().HorizontalPodAutoscalers(caseNamespace).Get(ctx, caseName, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		decisions = append(decisions, seen.decision(hpa))
		time.Sleep(period / 2)
	}
	return decisions, nil
}

// seenByController answers what the controller asks at the present step, and keeps
// what it writes.
type seenByController struct {
	metrics.MetricsClient // none but GetRawMetric is asked

	mu      sync.Mutex
	step    replicaStep
	syncs   int
	written *int32
}

func (s *seenByController) set(step replicaStep) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.step, s.syncs, s.written = step, 0, nil
}

func (s *seenByController) taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.syncs
}

func (s *seenByController) decision(hpa *autoscaling.HorizontalPodAutoscaler) replicaDecision {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := replicaDecision{Desired: s.step.Replicas}
	if s.written != nil {
		d.Desired, d.Rescaled = *s.written, true
	}
	for _, c := range hpa.Status.Conditions {
		switch c.Type {
		case autoscaling.AbleToScale:
			d.AbleToScale = c.Reason
		case autoscaling.ScalingActive:
			d.ScalingActive = c.Reason
		case autoscaling.ScalingLimited:
			d.Limited, d.Limit = c.Status == core.ConditionTrue, c.Reason
		}
	}
	return d
}

// scales is the scale subresource of the one Deployment. The controller reads it once a sync.
func (s *seenByController) scales() *scale.FakeScaleClient {
	client := &scale.FakeScaleClient{}
	client.AddReactor("get", "deployments", func(action.Action) (bool, runtime.Object, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.syncs++
		return true, &autoscalingv1.Scale{
			ObjectMeta: metav1.ObjectMeta{Namespace: caseNamespace, Name: caseName},
			Spec:       autoscalingv1.ScaleSpec{Replicas: s.step.Replicas},
			Status:     autoscalingv1.ScaleStatus{Replicas: s.step.Replicas, Selector: "app=" + caseName},
		}, nil
	})
	client.AddReactor("update", "deployments", func(a action.Action) (bool, runtime.Object, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		updated := a.(action.UpdateAction).GetObject().(*autoscalingv1.Scale)
		s.written = &updated.Spec.Replicas
		return true, updated, nil
	})
	return client
}

// GetRawMetric answers the step's values, as the custom metrics API would.
func (s *seenByController) GetRawMetric(string, string, labels.Selector, labels.Selector) (metrics.PodMetricsInfo, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := metrics.PodMetricsInfo{}
	for i, p := range s.step.Pods {
		if p.Milli != nil {
			info[podName(i)] = metrics.PodMetric{Timestamp: time.Now(), Value: *p.Milli}
		}
	}
	if len(info) == 0 {
		return nil, time.Time{}, errors.New("no metrics returned from custom metrics API")
	}
	return info, time.Now(), nil
}
