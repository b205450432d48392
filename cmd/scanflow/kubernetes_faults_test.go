package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// The API server dies in the middle of an act, and comes back: the leader at that time
// completes the act, and the agent continues without a restart.
func TestKubernetesTheAPIServerGoesAndComesBack(t *testing.T) {
	t.Parallel()
	c := testcluster.New(t)
	s := newStage(t, c, followAgent)
	s.wants(2)
	s.apply(webDeployment)
	s.apply(followAgent)
	d := s.daemon()
	s.scaledTo("web", 2)
	s.wants(5)
	d.saidAgain(`"@message":"decided"`, 2)
	c.StopAPIServer(t)
	d.said("leading no more")
	s.wants(4) // nothing can be done, and nothing is reported as done
	require.Zero(t, strings.Count(d.text(), `"with":"replicas=4"`))
	c.StartAPIServer(t)
	s.scaledTo("web", 4)
	d.saidAgain(`"@message":"leading"`, 2)
	d.stop()
}

const widgetAgent = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: widgets, namespace: NAMESPACE}
spec:
  targets: {apiVersion: example.org/v1, kind: Widget, selector: {}}
  triggers: [{name: tick, every: 250ms}]
  sensors: [{name: want, http: {url: "URL/load", pointer: /load}}]
  strategies: [t.follow]
  primitives: [scale]
`

const widgetDefinition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions:
    - name: v1
      served: true
      storage: true
      subresources:
        status: {}
        scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {size: {type: integer}}}
            status: {type: object, properties: {size: {type: integer}}}
`

// An agent whose targets' kind is not installed reports the kind and holds up no other
// agent. Once it is installed, the agent finds its targets without a restart.
func TestKubernetesAKindThatIsNotInstalled(t *testing.T) {
	t.Parallel()
	c := testcluster.New(t)
	s := newStage(t, c, followAgent+"---\n"+widgetAgent)
	s.wants(3)
	s.apply(webDeployment)
	s.apply(widgetAgent)
	s.apply(followAgent)
	d := s.daemon()
	s.scaledTo("web", 3)
	d.said("the cluster has no kind Widget of example.org/v1; install its custom resource definition, or correct the name")
	s.apply(widgetDefinition)
	require.Eventually(t, func() bool {
		_, err := c.ApplyAs(t.Context(), "test", s.filled("apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: one, namespace: NAMESPACE}\nspec: {size: 1}\n"))
		return err == nil
	}, 30*time.Second, 100*time.Millisecond)
	s.until("the widget is scaled", func() bool {
		return strings.Contains(s.events("one"), "replicas 1 -> 3") || strings.Contains(d.text(), `"detail":"replicas 1 -\u003e 3, taken over from test (Apply`) && strings.Contains(d.text(), `"name":"one"`)
	})
	d.stop()
}

// An install for one namespace sees and touches nothing outside of it, whatever an
// agent in it asks for.
func TestKubernetesOneNamespaceOnly(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	s := newStage(t, c, followAgent)
	outside := newStage(t, c, followAgent)
	s.wants(3)
	s.apply(webDeployment)
	outside.apply(webDeployment)
	outside.apply(followAgent) // an agent that this install must not serve
	d := s.daemon()
	s.apply(strings.Replace(followAgent, "kind: Deployment, selector", `kind: Deployment, namespace: "*", selector`, 1))
	s.until("the refusal names the namespace", func() bool {
		return strings.Contains(s.condition("follower", "Accepted"), "False Invalid: ") && strings.Contains(s.condition("follower", "Accepted"), s.namespace)
	})
	s.apply(followAgent)
	s.scaledTo("web", 3)
	require.EqualValues(t, 1, outside.replicas("web"))
	require.NotContains(t, d.text(), outside.namespace)
	_, body := d.get("/v1/agents")
	require.NotContains(t, body, outside.namespace)
	d.stop()
}

// leeway is how long the API server takes a token after its time.
const leeway = time.Minute

// The token expires and is renewed in its file, as a kubelet renews it: meanwhile
// nothing is done, and then the agent goes on by itself.
func TestKubernetesAnExpiredToken(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	s := newStage(t, c, followAgent)
	config, err := clientcmd.LoadFromFile(s.config)
	require.NoError(t, err)
	token := filepath.Join(t.TempDir(), "token")
	renew := func(expires time.Duration) {
		require.NoError(t, os.WriteFile(token+".new", []byte(c.ShortToken(t, s.namespace, "scanflow", expires)), 0o600))
		require.NoError(t, os.Rename(token+".new", token))
	}
	for _, user := range config.AuthInfos {
		user.Token, user.TokenFile = "", token
	}
	require.NoError(t, clientcmd.WriteToFile(*config, s.config))
	s.wants(2)
	s.apply(webDeployment)
	s.apply(followAgent)
	renew(10*time.Second - leeway)
	d := s.daemon()
	s.scaledTo("web", 2)
	// The lease can't be renewed any more, once the API server has forgotten that the
	// token was good 10 s ago.
	require.Eventually(t, func() bool { return strings.Contains(d.text(), "leading no more") }, time.Minute, 20*time.Millisecond)
	s.wants(3)
	require.NotContains(t, d.text(), "eyJ", "no token in the log")
	require.EqualValues(t, 2, s.replicas("web"))
	renew(time.Hour)
	// client-go reads the file again after a minute at most.
	require.Eventually(t, func() bool { return s.replicas("web") == 3 }, 90*time.Second, 100*time.Millisecond)
	d.stop()
}
