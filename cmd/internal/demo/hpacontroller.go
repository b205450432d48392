package demo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/podmetrics"
)

// podMetric is the metric of pods that the cluster's autoscalers scale by.
const podMetric = "requests_per_second"

const hpaManifest = `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %[1]s}
  minReplicas: 1
  maxReplicas: %[3]d
  behavior: {scaleDown: {stabilizationWindowSeconds: %[4]d}}
  metrics:
    - type: Pods
      pods: {metric: {name: %[5]s}, target: {type: AverageValue, averageValue: %[6]q}}
`

// scaleByHPA lets the cluster's HorizontalPodAutoscaler controller scale a service from now
// on. The controller syncs every 15 s at any speed; the durations in the object are shortened.
func (c *clusterPlatform) scaleByHPA(ctx context.Context, tb *testbed, service string, each float64) error {
	if err := c.servePodMetric(ctx, tb, service); err != nil {
		return err
	}
	window := max(tb.o.scaled(hpaWindow), time.Second)
	if err := c.initReplicas(ctx, service); err != nil {
		return err
	}
	c.watchField(ctx, tb, c.replicasField(service))
	_, err := c.client.Apply(ctx, fieldManager, fmt.Sprintf(hpaManifest, service, c.namespace, maxReplicas, int(window.Seconds()), podMetric, hpaAverageValue(each)))
	return err
}

// startManager is the field manager of the initial replicas.
const startManager = fieldManager + "-start"

// initReplicas writes the initial replicas of a Deployment. The API server only records a
// manager with the subresource scale, like an autoscaler, if the field had an owner before.
func (c *clusterPlatform) initReplicas(ctx context.Context, service string) error {
	_, err := c.client.Apply(ctx, startManager, fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %s, namespace: %s}
spec: {replicas: 1}
`, service, c.namespace))
	return err
}

// replicasField returns a history of the replicas of a Deployment.
func (c *clusterPlatform) replicasField(service string) *fieldHistory {
	return &fieldHistory{apiVersion: "apps/v1", kind: "Deployment", namespace: c.namespace, name: service, path: []string{"spec", "replicas"}}
}

// watchField follows a field until the platform is stopped, and prints its changes.
func (c *clusterPlatform) watchField(ctx context.Context, tb *testbed, l *fieldHistory) {
	s, what := tb.screen, fmt.Sprintf("%s %s/%s", l.kind, l.namespace, l.name)
	l.changed = func(from, to fieldWrite) {
		s.printf("  %s  %s  %s %s", s.clock(to.at), what, s.good(fmt.Sprintf("%s %d -> %d", l.path[len(l.path)-1], from.value, to.value)), s.dim("(by "+strings.Join(to.by, ", ")+")"))
	}
	ctx, end := context.WithCancel(ctx)
	c.watches = append(c.watches, end)
	tb.tasks.Go(func() {
		if err := l.follow(ctx, c.client); err != nil {
			s.printf("  %s", s.alarm(err.Error()))
		}
	})
}

// hpaAverageValue is the target of an autoscaler, in requests per second of a pod.
func hpaAverageValue(each float64) string {
	return strconv.FormatFloat(targetShare*each, 'f', 3, 64)
}

// servePodMetric serves the cluster's custom metrics API from the testbed's Prometheus, until
// the platform is stopped.
func (c *clusterPlatform) servePodMetric(ctx context.Context, tb *testbed, service string) (err error) {
	if c.podMetrics != nil {
		return errors.New("the metric of pods is served already, and a cluster has one such API")
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	query := tb.podRateQuery(service)
	// The controller would only report an invalid query in the autoscaler's status.
	if _, err := tb.prom.Query(ctx, query, time.Now()); err != nil {
		return err
	}
	c.podMetrics, err = podmetrics.Start(ctx, podmetrics.Options{Client: c.client, Prometheus: tb.promURL, Metric: podMetric, Query: query})
	return err
}
