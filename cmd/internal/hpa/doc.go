// Package hpa computes the decisions of Kubernetes' HorizontalPodAutoscaler: the desired
// replicas and the reason, for one metric of type Pods with a target of type AverageValue.
// Demos compare it with an agent under the same load, without a cluster.
//
// It is written from the documentation ("Horizontal Pod Autoscaling", sections
// "Algorithm details" and "Configurable scaling behavior",
// https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/) and
// makes the same decisions as the controller of Kubernetes 1.37.2: a test runs both on
// the same sequences. It follows that controller where the documentation is silent: an
// event exactly as old as a policy's period does not count, nor does a recommendation as
// old as its window (without a behavior it does), and the slots of old events are reused
// one at a time.
//
// It has no clock, reads no metric and scales nothing: the caller calls it at each sync,
// every 15 s by the controller manager's default. Not supported are metrics of type
// Resource (which ignore pods that are not ready), several metrics, tolerances by
// direction and a minimum of 0.
//
// Start reading at autoscaler.go (one sync), then usage.go (the recommendation),
// window.go (stabilisation) and rate.go (policies).
package hpa
