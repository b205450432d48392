package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/podmetrics"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/leadership"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
)

// fieldManager is the field manager of what a user would apply.
const fieldManager = "scanflow-demo"

var (
	namespacesResource = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	podsResource       = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
)

// clusterPlatform runs a study on a cluster whose pods and gateway can be reached from this
// machine: the test cluster. The agents are custom resources, run by this process. Everything
// is in the study's namespace, which is created for it and deleted at the end.
type clusterPlatform struct {
	client           *apiclient.Client
	dir              string
	namespace        string
	view             *clusterview.View // for the demo itself
	sys              *app.App
	podMetrics       *podmetrics.Server // nil unless an autoscaler needs it
	watches          []func()           // functions that stop them
	createdNamespace bool
}

// newClusterPlatform keeps the lease and the ledgers of a run in the study's namespace, with
// which they are deleted, so that the next run does not see the acts, events and budgets of
// this one.
func newClusterPlatform(client *apiclient.Client, namespace, dir string) *clusterPlatform {
	within := *client
	within.Namespace = namespace
	return &clusterPlatform{client: &within, namespace: namespace, dir: dir}
}

func (c *clusterPlatform) start(ctx context.Context, tb *testbed) (err error) {
	if err := c.createNamespace(ctx); err != nil {
		return err
	}
	c.view = clusterview.New(clusterview.Options{Client: c.client, Namespace: c.namespace, Log: tb.o.Log.Named("view")})
	deployments, err := c.view.Fleet(engine.Selector{APIVersion: "apps/v1", Kind: "Deployment", Namespace: c.namespace})
	if err != nil {
		return err
	}
	if _, err := deployments.Targets(ctx); err != nil { // starts watching
		return err
	}
	for _, folder := range []string{tb.files.workloads, tb.files.agents} {
		if err := c.applyFolder(ctx, folder); err != nil {
			return err
		}
	}
	c.sys, err = startApp(ctx, app.Options{
		Policies: tb.files.policies, Data: filepath.Join(c.dir, "data"), Prometheus: tb.promURL, MLflow: tb.study.mlflow,
		Log:        tb.o.Log,
		Kubernetes: &app.KubernetesOptions{Replica: leadership.Replica{Client: c.client, Install: "demo", Identity: "demo"}, Namespace: c.namespace},
	}, tb.narrator, tb.acts)
	return err
}

// createNamespace refuses an existing namespace, which may belong to someone.
func (c *clusterPlatform) createNamespace(ctx context.Context) error {
	_, err := c.client.Dynamic.Resource(namespacesResource).Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": c.namespace},
	}}, metav1.CreateOptions{})
	switch {
	case apierrors.IsAlreadyExists(err):
		return fmt.Errorf("the cluster has a namespace %s already, which the demo makes for itself and deletes at its end; delete it first: kubectl delete namespace %[1]s", c.namespace)
	case err != nil:
		return fmt.Errorf("make the namespace %s: %w", c.namespace, err)
	}
	c.createdNamespace = true
	return nil
}

func (c *clusterPlatform) applyFolder(ctx context.Context, dir string) error {
	list, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range list {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if _, err := c.client.Apply(ctx, fieldManager, string(raw)); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
	}
	return nil
}

func (c *clusterPlatform) orchestrator() podOrchestrator { return c.view }
func (c *clusterPlatform) system() *app.App              { return c.sys }

// gatewayAddress is the port of the route's parent on this machine: the test cluster's gateway
// listens there.
func (c *clusterPlatform) gatewayAddress(ctx context.Context, _, route string) (string, error) {
	mapping, err := c.client.Kinds.Find("gateway.networking.k8s.io/v1", "HTTPRoute")
	if err != nil {
		return "", err
	}
	o, err := c.client.Dynamic.Resource(mapping.Resource).Namespace(c.namespace).Get(ctx, route, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	parents, _, _ := unstructured.NestedSlice(o.Object, "spec", "parentRefs")
	for _, p := range parents {
		if parent, is := p.(map[string]any); is {
			if port, is := parent["port"].(int64); is {
				return c.waitListening(ctx, net.JoinHostPort("127.0.0.1", strconv.FormatInt(port, 10)))
			}
		}
	}
	return "", fmt.Errorf("the HTTPRoute %s names no port of its parent", route)
}

// waitListening waits until the gateway accepts connections.
func (c *clusterPlatform) waitListening(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			return address, conn.Close()
		}
		if !waitUntil(ctx, time.Now().Add(pollInterval)) {
			return "", fmt.Errorf("no gateway listens on %s: %w; the test cluster has one: go run ./cmd/cluster up --gateway --workflows --workflow-pods", address, err)
		}
	}
}

func (c *clusterPlatform) metrics(_ context.Context, tb *testbed) (string, error) {
	return tb.o.GatewayMetrics, nil
}

func (c *clusterPlatform) scale(ctx context.Context, id engine.TargetID, replicas int) error {
	mapping, err := c.client.Kinds.Find("apps/v1", id.Kind)
	if err != nil {
		return err
	}
	_, err = c.client.Dynamic.Resource(mapping.Resource).Namespace(id.Namespace).Patch(ctx, id.Name, "application/merge-patch+json",
		fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas), metav1.PatchOptions{FieldManager: fieldManager}, "scale")
	return err
}

func (c *clusterPlatform) submit(ctx context.Context, namespace, template string) error {
	_, err := c.client.Apply(ctx, fieldManager, fmt.Sprintf(`apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: %s-by-hand, namespace: %s}
spec: {workflowTemplateRef: {name: %[1]s}}
`, template, namespace))
	return err
}

// kill deletes the pod without a grace period: its node sends SIGKILL, and another pod
// replaces it.
func (c *clusterPlatform) kill(ctx context.Context, namespace string, p engine.Pod) (podDeath, error) {
	return podDeath{How: "its pod is deleted with a grace period of 0"}, c.client.Dynamic.Resource(podsResource).Namespace(namespace).Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
}

// namespaceDeleteTimeout bounds the deletion of a namespace.
const namespaceDeleteTimeout = time.Minute

func (c *clusterPlatform) stop(ctx context.Context) error {
	var errs []error
	for _, end := range c.watches {
		end()
	}
	if c.sys != nil {
		errs = append(errs, c.sys.Stop(ctx))
	}
	if c.podMetrics != nil {
		errs = append(errs, c.podMetrics.Close())
	}
	if c.view != nil {
		within, cancel := context.WithTimeout(ctx, 5*time.Second)
		errs = append(errs, c.view.Close(within))
		cancel()
	}
	if c.createdNamespace {
		errs = append(errs, c.deleteNamespace(ctx))
	}
	return errors.Join(errs...)
}

func (c *clusterPlatform) deleteNamespace(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, namespaceDeleteTimeout)
	defer cancel()
	resource := c.client.Dynamic.Resource(namespacesResource)
	if err := resource.Delete(ctx, c.namespace, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete the namespace %s: %w", c.namespace, err)
	}
	for {
		_, err := resource.Get(ctx, c.namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if !waitUntil(ctx, time.Now().Add(pollInterval)) {
			why := ""
			if err != nil {
				why = ": " + strings.TrimSpace(err.Error())
			}
			return fmt.Errorf("the namespace %s is still there after %s%s", c.namespace, namespaceDeleteTimeout, why)
		}
	}
}
