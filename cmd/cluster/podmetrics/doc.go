// Package podmetrics serves the custom metrics API (custom.metrics.k8s.io/v1beta2) for one
// metric of pods from a Prometheus query, so that a HorizontalPodAutoscaler with a metric
// of type Pods works on the test cluster. It is a stand-in for Prometheus Adapter, limited
// to the requests of such an autoscaler: all pods of a label selector, or one by name.
//
// It serves the test cluster and is not part of the product. It never authorizes its
// callers, listens on loopback, and has a self-signed certificate.
//
// Start reading at server.go; handler.go serves a request, register.go registers the server
// with the API server.
package podmetrics
