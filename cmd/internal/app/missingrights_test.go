package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/leadership"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// fastClock passes twenty times as fast as the machine's.
type fastClock struct{ base time.Time }

func (c fastClock) Now() time.Time { return c.base.Add(20 * time.Since(c.base)) }

func (c fastClock) Timer(d time.Duration) (<-chan time.Time, func()) {
	return engine.WallClock{}.Timer(d / 20)
}

// asAccount runs the agents of a namespace by the account "scanflow", which has only the
// rights of the process itself, on a fast clock.
func asAccount(t *testing.T, c *testcluster.Cluster, ns, rego string, observers ...engine.Observer) *App {
	t.Helper()
	config := c.KubeconfigFor(t, ns, "scanflow")
	c.Apply(t, strings.ReplaceAll(`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: process, namespace: NS}
rules:
  - {apiGroups: [scanflow.dev], resources: [agents], verbs: [list, watch]}
  - {apiGroups: [scanflow.dev], resources: [agents/status], verbs: [patch]}
  - {apiGroups: [scanflow.dev], resources: [ledgers], verbs: [get, list, create, update, delete]}
  - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update]}
  - {apiGroups: [""], resources: [events], verbs: [create]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: process, namespace: NS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: process}
subjects: [{kind: ServiceAccount, name: scanflow, namespace: NS}]
`, "NS", ns))
	policies := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(policies, "policy.rego"), []byte(rego), 0o600))
	client, err := apiclient.New(apiclient.Options{Kubeconfig: config})
	require.NoError(t, err)
	client.Namespace = ns
	log := hclog.NewNullLogger()
	s, err := start(t, Options{
		Policies: policysource.Source{Paths: []string{policies}}, Data: t.TempDir(), Clock: fastClock{time.Now()}, Log: log,
		Kubernetes: &KubernetesOptions{Replica: leadership.Replica{Client: client, Identity: "one"}, Namespace: ns},
	}, observers...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s
}

// granter puts rights into Roles of the account "scanflow", by namespace.
type granter struct {
	c     *testcluster.Cluster
	ns    string
	rules map[string][]any
}

// grant adds the rules that a message asks for, and returns the rights.
func (g *granter) grant(t *testing.T, message string) (added []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`may not ([^;]+); add to a Role in the namespace (\S+): (\{.*\})`).FindAllStringSubmatch(message, -1) {
		var rule map[string]any
		require.NoError(t, sigsyaml.Unmarshal([]byte(m[3]), &rule))
		g.rules[m[2]] = append(g.rules[m[2]], rule)
		added = append(added, strings.TrimSuffix(m[1], " in the namespace "+g.ns))
	}
	g.apply(t)
	return added
}

func (g *granter) apply(t *testing.T) {
	for namespace, rules := range g.rules {
		role, err := json.Marshal(map[string]any{
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": map[string]any{"name": "agents", "namespace": namespace}, "rules": rules,
		})
		require.NoError(t, err)
		g.c.Apply(t, string(role)+fmt.Sprintf(`
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: agents, namespace: %s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: agents}
subjects: [{kind: ServiceAccount, name: scanflow, namespace: %s}]
`, namespace, g.ns))
	}
}

const needy = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: needy, namespace: NS}
spec:
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {app: web}}}
  triggers:
    - {name: tick, every: 4s}
    - {name: trained, watch: {apiVersion: batch/v1, kind: Job, field: status.succeeded}}
  sensors:
    - {name: done, object: {apiVersion: batch/v1, kind: CronJob, match: {app: name}, field: spec.successfulJobsHistoryLimit}}
    - {name: beside, colocated: {matchLabels: {app: batch}}}
    - {name: load, http: {url: "http://127.0.0.1:1/", bearerToken: {secretKeyRef: {name: hook, key: token}}}}
  strategies: [t.both]
  primitives: [scale, annotate]
  params: {mark: one}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "example.com/web:1"}]}
---
apiVersion: v1
kind: Secret
metadata: {name: hook, namespace: NS, annotations: {scanflow.dev/hosts: "http://127.0.0.1:1"}}
stringData: {token: s3cret}
`

const both = `package scanflow.strategies.t.both

propose contains {"primitive": "scale", "with": {"replicas": 3}, "reason": "more", "because": []} if input.target.replicas.desired < 3

propose contains {"primitive": "annotate", "with": {"annotations": {"example.com/mark": input.params.mark}}, "reason": "mark", "because": []} if true
`

// An agent whose process has no right but its own: the condition names one missing right
// after the other, each with a rule that is enough, until the agent runs. Each is an Event,
// and so is each that was granted. Then the rights are taken away and given back.
func TestEachMissingRightIsNamedWithItsRule(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	ns := c.Namespace(t)
	c.Apply(t, strings.ReplaceAll(needy, "NS", ns))
	asAccount(t, c, ns, both)
	g := &granter{c: c, ns: ns, rules: map[string][]any{}}

	found, resources := map[string]bool{}, map[string]bool{}
	follows := regexp.MustCompile("^(list|watch)") // whichever the informer tried last
	last := ""
	require.Eventually(t, func() bool {
		s, generation := agentStatus(t, c, ns, "needy")
		if s.ObservedGeneration != generation {
			return false
		}
		ready := is(s, manifest.Ready)
		if ready == "False MissingRight" {
			require.Equal(t, "True MissingRight", is(s, manifest.Stalled))
			require.Empty(t, is(s, manifest.Reconciling))
			require.Equal(t, "True Valid", is(s, manifest.Accepted))
			message := s.Condition(manifest.Ready).Message
			require.Contains(t, message, "system:serviceaccount:"+ns+":scanflow may not ")
			require.NotEmpty(t, s.MissingRights)
			if message != last {
				last = message
				for _, right := range g.grant(t, message) {
					found[right], resources[follows.ReplaceAllString(right, "follow")] = true, true
				}
			}
		}
		d, err := c.Client().Dynamic.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}).Namespace(ns).Get(t.Context(), "web", metav1.GetOptions{})
		require.NoError(t, err)
		replicas, _, _ := unstructured.NestedInt64(d.Object, "spec", "replicas")
		return ready == "True Running" && replicas == 3 && d.GetAnnotations()["example.com/mark"] == "one" && len(s.MissingRights) == 0 && resources["follow jobs of batch"]
	}, 2*time.Minute, 50*time.Millisecond)
	delete(resources, "get deployments/scale of apps") // read after a conflict alone
	require.Equal(t, []string{
		"follow cronjobs of batch", "follow deployments of apps", "follow horizontalpodautoscalers of autoscaling", "follow jobs of batch", "follow pods",
		"get deployments of apps", "get secrets", "patch deployments of apps", "patch deployments/scale of apps",
	}, slices.Sorted(maps.Keys(resources)))

	events := 0 // a rule for list and watch may grant a right before its message was seen here
	soon(t, "each is an event, and so is its grant", func() bool {
		now := agentEvents(t, c, ns, "needy")
		events = now["Warning MissingRight"]
		return events >= len(found) && events == now["Normal RightGranted"]
	})

	rights := g.rules[ns]
	withoutPatch := slices.DeleteFunc(slices.Clone(rights), func(r any) bool {
		return slices.Contains(r.(map[string]any)["verbs"].([]any), any("patch"))
	})
	edit := func(spec string) {
		_, err := c.Client().Dynamic.Resource(agentResource).Namespace(ns).Patch(t.Context(), "needy", types.MergePatchType, []byte(`{"spec":`+spec+`}`), metav1.PatchOptions{})
		require.NoError(t, err)
	}
	g.rules[ns] = withoutPatch
	g.apply(t)
	edit(`{"params":{"mark":"two"}}`)
	soon(t, "the right to write is missed", func() bool {
		s, _ := agentStatus(t, c, ns, "needy")
		return is(s, manifest.Stalled) == "True MissingRight" && strings.Contains(s.Condition(manifest.Ready).Message, "may not patch deployments of apps")
	})
	g.rules[ns] = rights
	g.apply(t)
	soon(t, "and granted", func() bool {
		s, generation := agentStatus(t, c, ns, "needy")
		return s.ObservedGeneration == generation && is(s, manifest.Ready) == "True Running" && is(s, manifest.Stalled) == ""
	})
	soon(t, "each is an event", func() bool {
		now := agentEvents(t, c, ns, "needy")
		return now["Warning MissingRight"] > events && now["Warning MissingRight"] == now["Normal RightGranted"]
	})

	g.rules[ns] = withoutPatch
	g.apply(t)
	edit(`{"params":{"mark":"three"}}`)
	soon(t, "it is missed once more", func() bool {
		s, _ := agentStatus(t, c, ns, "needy")
		return is(s, manifest.Stalled) == "True MissingRight"
	})
	granted := agentEvents(t, c, ns, "needy")["Normal RightGranted"]
	edit(`{"mode":"paused"}`)
	soon(t, "a spec that needs no right lacks none", func() bool {
		s, generation := agentStatus(t, c, ns, "needy")
		return s.ObservedGeneration == generation && is(s, manifest.Ready) == "True Paused" && len(s.MissingRights) == 0
	})
	require.Equal(t, granted, agentEvents(t, c, ns, "needy")["Normal RightGranted"], "nobody granted it")
}

const words = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NS}
spec:
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NS}}
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments, deployments/scale]}]
  validations:
    - expression: "!request.userInfo.username.startsWith('system:serviceaccount:NS:')"
      reason: Forbidden
      message: 'no: User "system:serviceaccount:NS:scanflow" cannot patch resource "deployments" in API group "apps" in the namespace "NS"'
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: NS}
spec: {policyName: NS, validationActions: [Deny]}
`

const marking = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: needy, namespace: NS}
spec:
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {app: web}}}
  triggers: [{name: tick, every: 4s}]
  strategies: [t.mark]
  primitives: [annotate]
  params: {mark: one}
`

const mark = `package scanflow.strategies.t.mark

propose contains {"primitive": "annotate", "with": {"annotations": {"example.com/mark": input.params.mark}}, "reason": "mark", "because": []} if true
`

// An admission policy that denies in the words of RBAC is no missing right: there is no rule
// to add. The agent stays ready, and its status says which target is refused, and why.
func TestADenialByAdmissionIsNoMissingRight(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	ns := c.Namespace(t)
	g := &granter{c: c, ns: ns, rules: map[string][]any{ns: {
		map[string]any{"apiGroups": []any{"apps"}, "resources": []any{"deployments"}, "verbs": []any{"get", "list", "watch", "patch"}},
		map[string]any{"apiGroups": []any{""}, "resources": []any{"pods"}, "verbs": []any{"list", "watch"}},
	}}}
	_, deployment, _ := strings.Cut(needy, "---\n")
	c.Apply(t, strings.ReplaceAll(marking+"---\n"+deployment, "NS", ns))
	c.Apply(t, strings.ReplaceAll(words, "NS", ns))
	g.apply(t)
	account := rest.CopyConfig(c.Client().Config)
	account.Impersonate.UserName = "system:serviceaccount:" + ns + ":scanflow"
	as, err := apiclient.FromConfig(account, ns, apiclient.Options{})
	require.NoError(t, err)
	require.Eventually(t, func() bool { // a policy takes effect some time after it was written
		_, err := as.Dynamic.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}).Namespace(ns).
			Patch(t.Context(), "web", types.MergePatchType, []byte(`{"metadata": {"annotations": {"example.com/mark": "try"}}}`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil && strings.Contains(err.Error(), "no: User")
	}, time.Minute, 50*time.Millisecond, "the admission policy is in effect")
	saw := &decided{}
	asAccount(t, c, ns, mark, saw)
	require.Eventually(t, func() bool {
		s, _ := agentStatus(t, c, ns, "needy")
		for _, count := range []*manifest.TargetCount{s.Refused, s.Failed} {
			if count != nil && count.Targets == 1 && count.First == ns+"/web" && strings.Contains(count.Why, "cannot patch resource") {
				return is(s, manifest.Ready) == "True Running"
			}
		}
		return false
	}, 2*time.Minute, 50*time.Millisecond, "the target counts as refused or failed, with the words")
	s, _ := agentStatus(t, c, ns, "needy")
	require.Empty(t, s.MissingRights)
	require.NotContains(t, agentEvents(t, c, ns, "needy"), "Warning MissingRight", "not for a moment")
}
