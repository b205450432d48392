// Package podmetrics serves a cluster's custom metrics API (custom.metrics.k8s.io/v1beta2)
// for one metric of pods, from a Prometheus query, so that a HorizontalPodAutoscaler with
// a metric of type Pods works on the test cluster. It is a stand-in for Prometheus Adapter,
// in the part that such an autoscaler asks: all the pods of a label selector, or one by name.
//
// It checks no caller's rights, and its certificate is nobody's: the API server reaches it
// on loopback. It is never part of what ships.
//
// Start reading at server.go; answer.go is one request, register.go tells the API server.
package podmetrics
