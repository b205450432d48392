// Package hpa is the decision of Kubernetes' HorizontalPodAutoscaler as a value: how
// many replicas it would have, and why, for one metric of type Pods with a target of
// type AverageValue. Demos run it beside an agent, on the same load, where no cluster is.
//
// It is written from the documentation ("Horizontal Pod Autoscaling", sections
// "Algorithm details" and "Configurable scaling behavior",
// https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/) and agrees,
// decision by decision, with the controller of Kubernetes 1.37.2: a test gives both the
// same sequences. The edges that the documentation leaves open are as that controller
// has them: an event exactly as old as a policy's period no longer counts, nor does a
// recommendation as old as its window (without a behavior it does), and the slots of old
// events are used again, one at a time.
//
// It has no clock, reads no metric and scales nothing: the caller asks at each sync, 15 s
// apart by the controller manager's default. A metric of type Resource (where pods that
// aren't ready are left out), several metrics, tolerances of one direction and a minimum
// of 0 are not here.
//
// Start reading at autoscaler.go (one sync), then usage.go (what the metric asks for),
// window.go (stabilisation) and rate.go (policies).
package hpa
