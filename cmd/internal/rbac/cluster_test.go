package rbac_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"

	"github.com/scanflow-k8s/scanflow/actuators/kubernetes"
	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/cmd/internal/rbac"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
)

func TestMain(m *testing.M) { testcluster.Main(m) }

var everyVerb = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}

// granted returns the grants of a plan, as "namespace group/resource/name verb"; namespace
// and name are "" for all.
func granted(p *rbac.Plan) map[string]bool {
	out := map[string]bool{}
	add := func(namespace string, rules []rbac.Rule) {
		for _, r := range rules {
			names := r.Names
			if len(names) == 0 {
				names = []string{""}
			}
			for _, resource := range r.Resources {
				for _, name := range names {
					for _, verb := range r.Verbs {
						out[fmt.Sprintf("%s %s %s %s %s", namespace, r.Groups[0], resource, name, verb)] = true
					}
				}
			}
		}
	}
	for _, r := range p.Roles(true) {
		add(r.Namespace, r.Rules)
	}
	add("", p.Cluster)
	return out
}

// account connects as the service account of a plan that was applied.
func account(t *testing.T, c *testcluster.Cluster, namespace string) *apiclient.Client {
	t.Helper()
	client, err := apiclient.New(apiclient.Options{Kubeconfig: c.KubeconfigFor(t, namespace, "scanflow")})
	require.NoError(t, err)
	return client
}

// requireExactly asks the API server for every verb on everything that the plan names,
// and on what it does not, in its namespaces and another: it grants what the plan
// says and nothing else.
func requireExactly(t *testing.T, client *apiclient.Client, p *rbac.Plan, namespaces ...string) {
	t.Helper()
	reviews, err := authorizationclient.NewForConfig(client.Config)
	require.NoError(t, err)
	grants := granted(p)
	resources := map[string]bool{" secrets": true, " pods/exec": true, "apps daemonsets": true, "rbac.authorization.k8s.io roles": true, "apps deployments/scale": true}
	for g := range grants {
		parts := strings.Split(g, " ")
		resources[parts[1]+" "+parts[2]] = true
	}
	var mu sync.Mutex
	var wrong []string
	var work sync.WaitGroup
	room := make(chan struct{}, 16)
	for r := range resources {
		group, resource, _ := strings.Cut(r, " ")
		for _, namespace := range append(namespaces, "") {
			for _, verb := range everyVerb {
				want := grants[fmt.Sprintf(" %s %s  %s", group, resource, verb)] || namespace != "" && grants[fmt.Sprintf("%s %s %s  %s", namespace, group, resource, verb)]
				work.Go(func() {
					room <- struct{}{}
					defer func() { <-room }()
					base, sub, _ := strings.Cut(resource, "/")
					review, err := reviews.SelfSubjectAccessReviews().Create(context.Background(), &authorizationv1.SelfSubjectAccessReview{
						Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
							Namespace: namespace, Verb: verb, Group: group, Resource: base, Subresource: sub,
						}},
					}, metav1.CreateOptions{})
					mu.Lock()
					defer mu.Unlock()
					if err != nil || review.Status.Allowed != want {
						wrong = append(wrong, fmt.Sprintf("%s %s in %q: wanted %t (%v)", verb, r, namespace, want, err))
					}
				})
			}
		}
	}
	work.Wait()
	slices.Sort(wrong)
	require.Empty(t, wrong)
}

// until asks again until the API server has taken a role up.
func until(t *testing.T, check func() error) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) { require.NoError(c, check()) }, 10*time.Second, 20*time.Millisecond)
}

func deployments(client *apiclient.Client, namespace string) (func(ctx context.Context) error, func(verb string) error) {
	api := client.Dynamic.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}).Namespace(namespace)
	list := func(ctx context.Context) error {
		_, err := api.List(ctx, metav1.ListOptions{})
		return err
	}
	return list, func(verb string) error {
		ctx := context.Background()
		var err error
		switch verb {
		case "get":
			_, err = api.Get(ctx, "digits", metav1.GetOptions{})
		case "patch":
			_, err = api.Patch(ctx, "digits", types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`), metav1.PatchOptions{})
		case "patch scale":
			_, err = api.Patch(ctx, "digits", types.MergePatchType, []byte(`{"spec":{"replicas":2}}`), metav1.PatchOptions{}, "scale")
		case "update scale":
			var scale *unstructured.Unstructured
			if scale, err = api.Get(ctx, "digits", metav1.GetOptions{}, "scale"); err == nil {
				_, err = api.Update(ctx, scale, metav1.UpdateOptions{}, "scale")
			}
		case "delete":
			err = api.Delete(ctx, "digits", metav1.DeleteOptions{})
		}
		return err
	}
}

const workload = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: digits, namespace: %s, labels: {app.kubernetes.io/component: predictor}}
spec:
  selector: {matchLabels: {app: digits}}
  template:
    metadata: {labels: {app: digits}}
    spec: {containers: [{name: c, image: none}]}
`

// An agent of one namespace: what its process has is exactly what it needs, and with
// that it sees its targets and scales them.
func TestAnAgentOfOneNamespace(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	system, work, other := c.Namespace(t), c.Namespace(t), c.Namespace(t)
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "deploy", "kubernetes", "autoscale", "planner.yaml"))
	require.NoError(t, err)
	p := plan(t, strings.ReplaceAll(string(raw), "namespace: digits", "namespace: "+work), rbac.Options{Namespace: system})
	require.Equal(t, work, p.Watch)
	require.Empty(t, p.Cluster)
	c.Apply(t, string(p.YAML()))
	c.Apply(t, fmt.Sprintf(workload, work))
	c.Apply(t, fmt.Sprintf(workload, other))
	client := account(t, c, system)
	list, do := deployments(client, work)
	until(t, func() error { return list(t.Context()) })
	requireExactly(t, client, p, system, work, other, "default")

	for _, verb := range []string{"get", "patch", "update scale", "delete"} {
		require.True(t, apierrors.IsForbidden(do(verb)), verb)
	}
	require.NoError(t, do("patch scale"))
	listOther, doOther := deployments(client, other)
	require.True(t, apierrors.IsForbidden(listOther(t.Context())))
	require.True(t, apierrors.IsForbidden(doOther("patch scale")))

	view := clusterview.New(clusterview.Options{Client: client, Namespace: p.Watch})
	t.Cleanup(func() { require.NoError(t, view.Close(context.Background())) })
	selector, _ := readAgents(t, strings.ReplaceAll(string(raw), "namespace: digits", "namespace: "+work))[0].Selector()
	fleet, err := view.Fleet(selector)
	require.NoError(t, err)
	var targets []engine.Target
	until(t, func() (err error) {
		targets, err = fleet.Targets(t.Context())
		return err
	})
	require.Len(t, targets, 1)
	actuator := kubernetes.Scale(&kubernetes.Cluster{Client: client, View: view, Clock: engine.WallClock{}})
	until(t, func() error {
		change, err := actuator.Plan(t.Context(), engine.Proposal{Primitive: "scale", Target: targets[0], With: map[string]any{"replicas": 4.0}})
		if err != nil {
			return err
		}
		_, err = actuator.Apply(t.Context(), change)
		return err
	})
}

// An agent that looks at every namespace: a ClusterRole, and still no more in it than
// needed.
func TestAnAgentOfEveryNamespace(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	system, work, other := c.Namespace(t), c.Namespace(t), c.Namespace(t)
	text := agent(work, "everywhere", "targets: {apiVersion: apps/v1, kind: Deployment, namespace: '*', selector: {}}", "primitives: [scale]") +
		agent(work, "here", "targets: {apiVersion: serving.kserve.io/v1beta1, kind: InferenceService, selector: {}}", "primitives: [restart]")
	p := plan(t, text, rbac.Options{Namespace: system})
	require.Empty(t, p.Watch)
	c.Apply(t, string(p.YAML()))
	c.Apply(t, fmt.Sprintf(workload, other))
	client := account(t, c, system)
	list, do := deployments(client, other)
	until(t, func() error { return list(t.Context()) })
	requireExactly(t, client, p, system, work, other)
	require.NoError(t, do("patch scale"))
	for _, verb := range []string{"get", "patch", "update scale", "delete"} {
		require.True(t, apierrors.IsForbidden(do(verb)), verb)
	}
	definitions := client.Dynamic.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	_, err := definitions.Get(t.Context(), "agents.scanflow.dev", metav1.GetOptions{})
	require.True(t, apierrors.IsForbidden(err), "another definition than that of its targets: %v", err)
	_, err = definitions.Get(t.Context(), "inferenceservices.serving.kserve.io", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "it may ask for that one, which is not installed: %v", err)
}

// A grant by name is for that object only: an informer of the single object is allowed, and one
// of all objects is not.
func TestATriggerOnOneObject(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	system, work := c.Namespace(t), c.Namespace(t)
	text := strings.Replace(agent(work, "a", "targets: {static: [{name: x}]}"), "every: 10s", "watch: {apiVersion: v1, kind: ConfigMap, name: model}", 1)
	p := plan(t, text, rbac.Options{Namespace: system})
	require.Contains(t, slices.Collect(maps.Keys(granted(p))), work+"  configmaps model watch")
	c.Apply(t, string(p.YAML()))
	client := account(t, c, system)
	maps := client.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(work)
	until(t, func() error {
		_, err := maps.List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=model"})
		return err
	})
	_, err := maps.List(t.Context(), metav1.ListOptions{})
	require.True(t, apierrors.IsForbidden(err), "%v", err)

	view := clusterview.New(clusterview.Options{Client: client, Namespace: work})
	t.Cleanup(func() { require.NoError(t, view.Close(context.Background())) })
	spec, err := readAgents(t, text)[0].EngineSpec()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	seen, ended := make(chan engine.ObjectChange, 10), make(chan error, 1)
	go func() {
		ended <- view.Watch(ctx, *spec.Triggers[0].Watch, func(change engine.ObjectChange) { seen <- change })
	}()
	n := 0
	require.Eventually(t, func() bool {
		n++ // what was there before the watch began is not told of, so it changes until one is
		c.Apply(t, fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: model, namespace: %s}, data: {n: '%d'}}", work, n))
		select {
		case change := <-seen:
			return change.Name == "model"
		default:
			return false
		}
	}, 10*time.Second, 50*time.Millisecond)
	cancel()
	require.NoError(t, <-ended)
}

// A Secret that a manifest names may be read, and no other; nor may all be listed.
func TestSecretsByName(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	system, work := c.Namespace(t), c.Namespace(t)
	p := plan(t, agent(work, "a", "targets: {static: [{name: x}]}", "primitives: [webhook]",
		"guards: {urls: ['http://x/']}", "credentials: [{url: 'http://x/', bearerToken: {secretKeyRef: {name: hook, key: token}}}]"), rbac.Options{Namespace: system})
	c.Apply(t, string(p.YAML()))
	for _, namespace := range []string{work, system} {
		for _, name := range []string{"hook", "other"} {
			c.Apply(t, fmt.Sprintf("{apiVersion: v1, kind: Secret, metadata: {name: %s, namespace: %s}, stringData: {token: t}}", name, namespace))
		}
	}
	client := account(t, c, system)
	secrets := client.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "secrets"})
	until(t, func() error {
		_, err := secrets.Namespace(work).Get(t.Context(), "hook", metav1.GetOptions{})
		return err
	})
	requireExactly(t, client, p, system, work, "default") // which asks for Secrets without a name
	for _, at := range [][2]string{{work, "other"}, {system, "hook"}, {system, "other"}} {
		_, err := secrets.Namespace(at[0]).Get(t.Context(), at[1], metav1.GetOptions{})
		require.True(t, apierrors.IsForbidden(err), "%v: %v", at, err)
	}
	_, err := secrets.Namespace(work).List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=hook"})
	require.True(t, apierrors.IsForbidden(err), "%v", err)
}
