package helm_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

var debugParts = []string{"tracker", "checker", "planner", "executor"}

func agentFile(part string) string {
	return filepath.Join("..", "modeldebug", "agents", part+".yaml")
}

// fourReleases are the objects of each, installed as the README says.
func fourReleases(t *testing.T, c *testcluster.Cluster, namespace string) map[string]string {
	t.Helper()
	built, err := c.BuildBinaries(t.Context())
	require.NoError(t, err)
	out := map[string]string{}
	for _, part := range debugParts {
		rights, err := exec.CommandContext(t.Context(), built.Scanflow, "rbac", "-f", agentFile(part), "-o", "values").Output()
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), part+".yaml")
		require.NoError(t, os.WriteFile(file, rights, 0o600))
		text, said, err := helm(t, "template", part, "scanflow", "--namespace", namespace, "-f", "modeldebug.yaml", "-f", file,
			"--set", "agents.selector=scanflow.dev/part="+part)
		require.NoError(t, err, said)
		out[part] = text
	}
	return out
}

// argument is the values of a flag of the release's process.
func argument(t *testing.T, text, flag string) (out []string) {
	t.Helper()
	for _, arg := range podOf(t, objects(t, text)).Containers[0].Args {
		if value, is := strings.CutPrefix(arg, flag+"="); is {
			out = append(out, value)
		}
	}
	return out
}

// The four releases of modeldebug.yaml each select one of the four agents, have a Lease
// and ledgers of their own, and send to the three others, by the names of their
// Services.
func TestFourReleasesShareTheAgentsOut(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	c.Apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: digits}}")
	namespace := restricted(t, c)
	texts := fourReleases(t, c, namespace)
	services, installs, seen := map[string]string{}, map[string]bool{}, map[string]bool{}
	for _, part := range debugParts {
		c.Apply(t, texts[part])
		for kind, list := range objects(t, texts[part]) {
			for _, o := range list {
				id := strings.Join([]string{kind, o.GetNamespace(), o.GetName()}, " ")
				require.False(t, seen[id], "%s is of two releases", id)
				seen[id] = true
			}
		}
		services[part] = "http://" + objects(t, texts[part])["Service"][0].GetName() + ":8282"
		installs[argument(t, texts[part], "--install")[0]] = true
		selector, err := labels.Parse(argument(t, texts[part], "--agents")[0])
		require.NoError(t, err)
		for _, other := range debugParts {
			raw, err := os.ReadFile(agentFile(other))
			require.NoError(t, err)
			var agent unstructured.Unstructured
			require.NoError(t, yaml.Unmarshal(raw, &agent.Object))
			require.Equal(t, other == part, selector.Matches(labels.Set(agent.GetLabels())), "%s of %s", other, part)
		}
	}
	require.Len(t, installs, len(debugParts))
	for _, part := range debugParts {
		var want []string
		for _, other := range debugParts {
			if other != part {
				want = append(want, services[other])
			}
		}
		require.Equal(t, want, argument(t, texts[part], "--peer"))
	}
}

// Each of the four may do what its own agent needs. To select agents by their labels
// takes no right but to list them, and what is mounted takes none.
func TestFourReleasesHaveTheRightsOfTheirAgents(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	c.Apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: digits}}")
	namespace := restricted(t, c)
	reviews, err := authorizationclient.NewForConfig(c.Client().Config)
	require.NoError(t, err)
	for part, text := range fourReleases(t, c, namespace) {
		c.Apply(t, text)
		account := "system:serviceaccount:" + namespace + ":" + podOf(t, objects(t, text)).ServiceAccountName
		may := func(verb, group, resource, in string, name ...string) bool {
			review, err := reviews.SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: account, ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Group: group, Resource: resource, Namespace: in, Name: strings.Join(name, "")},
			}}, metav1.CreateOptions{})
			require.NoError(t, err)
			return review.Status.Allowed
		}
		require.Eventually(t, func() bool { // the API server takes roles up a moment after they are made
			return may("list", "scanflow.dev", "agents", "digits") && may("update", "coordination.k8s.io", "leases", namespace, part+"-scanflow")
		}, 10*time.Second, 50*time.Millisecond, part)
		require.Equal(t, part == "planner", may("patch", "apps", "deployments", "digits"), "%s rolls the Deployment", part)
		require.Equal(t, part == "planner" || part == "checker", may("create", "argoproj.io", "workflows", "digits"), "%s runs workflows", part)
		require.False(t, may("update", "coordination.k8s.io", "leases", namespace, "another"), part)
		for _, verb := range []string{"get", "list", "watch"} {
			require.False(t, may(verb, "", "secrets", namespace), part)
			require.False(t, may(verb, "", "configmaps", namespace), part)
			require.False(t, may(verb, "scanflow.dev", "agents", namespace), part)
		}
		for _, verb := range []string{"create", "update", "patch", "delete"} {
			require.False(t, may(verb, "scanflow.dev", "agents", "digits"), part)
		}
	}
}
