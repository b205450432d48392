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

// scaleByHPA has the cluster's own controller set the replicas of a service, from now on.
// It looks each 15 s at any speed; what is written in the object goes faster.
func (c *onCluster) scaleByHPA(ctx context.Context, tb *testbed, service string, each float64) error {
	if err := c.servePodMetric(ctx, tb, service); err != nil {
		return err
	}
	window := max(tb.o.scaled(hpaWindow), time.Second)
	if err := c.begin(ctx, service); err != nil {
		return err
	}
	c.watch(ctx, tb, c.replicasOf(service))
	_, err := c.client.Apply(ctx, fieldManager, fmt.Sprintf(hpaManifest, service, c.namespace, mostReplicas, int(window.Seconds()), podMetric, averageValue(each)))
	return err
}

// startManager is how the demo writes what the replicas are at first.
const startManager = fieldManager + "-start"

// begin writes the replicas that a Deployment has at first. The API server names who
// wrote them through the subresource scale, as an autoscaler does, only where somebody
// had written them before.
func (c *onCluster) begin(ctx context.Context, service string) error {
	_, err := c.client.Apply(ctx, startManager, fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %s, namespace: %s}
spec: {replicas: 1}
`, service, c.namespace))
	return err
}

// replicasOf is who writes the replicas of a Deployment, once it is watched.
func (c *onCluster) replicasOf(service string) *fieldLog {
	return &fieldLog{apiVersion: "apps/v1", kind: "Deployment", namespace: c.namespace, name: service, path: []string{"spec", "replicas"}}
}

// watch follows a field until the platform is stopped, and says what it becomes.
func (c *onCluster) watch(ctx context.Context, tb *testbed, l *fieldLog) {
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

// averageValue is the requests per second of a pod that an autoscaler aims at.
func averageValue(each float64) string {
	return strconv.FormatFloat(targetShare*each, 'f', 3, 64)
}

// servePodMetric has the cluster's custom metrics API answer from the testbed's
// Prometheus, until the platform is stopped.
func (c *onCluster) servePodMetric(ctx context.Context, tb *testbed, service string) (err error) {
	if c.podMetrics != nil {
		return errors.New("the metric of pods is served already, and a cluster has one such API")
	}
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	query := tb.podRate(service)
	// The controller would say what is wrong with it in the autoscaler's status alone.
	if _, err := tb.prom.Query(ctx, query, time.Now()); err != nil {
		return err
	}
	c.podMetrics, err = podmetrics.Start(ctx, podmetrics.Options{Client: c.client, Prometheus: tb.promURL, Metric: podMetric, Query: query})
	return err
}
