package helm_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// variables are the environment of the process, by name.
func variables(pod corev1.PodSpec) map[string]string {
	out := map[string]string{}
	for _, v := range pod.Containers[0].Env {
		out[v.Name] = v.Value
	}
	return out
}

// Go's heap has 60% of the container's limit, whatever unit that has. Without a limit, or with
// a variable of the user, the chart sets none.
func TestTheLimitOfGoIsThatOfTheContainer(t *testing.T) {
	for limit, want := range map[string]string{
		"1Gi": "644245094", "512Mi": "322122547", "1.5G": "900000000", "1000000000": "600000000", "2000000k": "1200000000", "1Ti": "659706976665",
	} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			pod := podOf(t, objects(t, render(t, "system", "--set-json", fmt.Sprintf(`resources={"requests": {"memory": "1Mi"}, "limits": {"memory": %q}}`, limit))))
			require.Equal(t, want, variables(pod)["GOMEMLIMIT"])
		})
	}
	as := podOf(t, objects(t, render(t, "system", "--set-json", `resources.limits.memory=1073741824`)))
	require.Equal(t, "644245094", variables(as)["GOMEMLIMIT"], "a number")
	none := podOf(t, objects(t, render(t, "system", "--set", "resources.limits.memory=null")))
	require.NotContains(t, variables(none), "GOMEMLIMIT")
	own := podOf(t, objects(t, render(t, "system", "--set", "env[0].name=GOMEMLIMIT,env[0].value=300MiB")))
	require.Equal(t, "300MiB", variables(own)["GOMEMLIMIT"])
	require.Len(t, own.Containers[0].Env, 2)
	require.Equal(t, "system/test-scanflow", variables(own)["SCANFLOW_WORKLOAD"])
}

func TestTheImage(t *testing.T) {
	const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for set, want := range map[string]string{
		"image.tag=v1":                                "scanflow:v1",
		"image.digest=" + digest:                      "scanflow@" + digest,
		"image.tag=v1,image.digest=" + digest:         "scanflow:v1@" + digest,
		"image.repository=registry:5000/a/b":          "registry:5000/a/b:0.0.0-unreleased",
		"image.repository=ghcr.io/a/b_c,image.tag=v2": "ghcr.io/a/b_c:v2",
	} {
		all := objects(t, render(t, "system", "--set", set))
		require.Equal(t, want, podOf(t, all).Containers[0].Image)
		var test corev1.Pod
		read(t, all["Pod"][0].Object, &test)
		require.Equal(t, want, test.Spec.Containers[0].Image)
	}
}

// What a platform adds to a pod is in the pod, and the chart's own is there too.
func TestWhatIsAddedToThePod(t *testing.T) {
	pod := podOf(t, objects(t, render(t, "system", "-f", values("everything.yaml"))))
	c := pod.Containers[0]
	require.Equal(t, "--mlflow-ca=/authorities/ca.crt", c.Args[len(c.Args)-1])
	require.Equal(t, "proxy", c.EnvFrom[0].ConfigMapRef.Name)
	require.True(t, slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == "/authorities" && m.ReadOnly }))
	require.True(t, slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == "authorities" && v.ConfigMap != nil }))
	require.Equal(t, "logs", pod.Containers[1].Name)
	require.Equal(t, "wait", pod.InitContainers[0].Name)
}

// Each part of a security context can be left to the cluster, as OpenShift wants it.
func TestTheSecurityContext(t *testing.T) {
	all := objects(t, render(t, "system", "-f", values("openshift.yaml")))
	pod := podOf(t, all)
	require.Equal(t, &corev1.PodSecurityContext{RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}, pod.SecurityContext)
	require.True(t, *pod.Containers[0].SecurityContext.ReadOnlyRootFilesystem)
	var test corev1.Pod
	read(t, all["Pod"][0].Object, &test)
	require.Equal(t, pod.SecurityContext, test.Spec.SecurityContext)
	other := podOf(t, objects(t, render(t, "system", "--set", "podSecurityContext.runAsUser=1000,securityContext.readOnlyRootFilesystem=false")))
	require.Equal(t, int64(1000), *other.SecurityContext.RunAsUser)
	require.Equal(t, int64(65532), *other.SecurityContext.FSGroup)
	require.False(t, *other.Containers[0].SecurityContext.ReadOnlyRootFilesystem)
}

// Common labels and annotations are on every object and on the pods, and never in a selector.
func TestCommonLabels(t *testing.T) {
	for kind, list := range objects(t, render(t, "system", "-f", values("everything.yaml"))) {
		for _, o := range list {
			require.Equal(t, "ml", o.GetLabels()["cost-center"], "%s %s", kind, o.GetName())
			require.Equal(t, "platform", o.GetAnnotations()["example.org/owner"], "%s %s", kind, o.GetName())
			require.Equal(t, "test", o.GetLabels()["app.kubernetes.io/instance"], "%s %s", kind, o.GetName())
		}
		if kind != "Deployment" {
			continue
		}
		labels, _, err := unstructured.NestedStringMap(list[0].Object, "spec", "template", "metadata", "labels")
		require.NoError(t, err)
		require.Subset(t, labels, map[string]string{"cost-center": "ml", "team": "ml", "app.kubernetes.io/name": "scanflow"})
		selector, _, err := unstructured.NestedStringMap(list[0].Object, "spec", "selector", "matchLabels")
		require.NoError(t, err)
		require.Equal(t, map[string]string{"app.kubernetes.io/name": "scanflow", "app.kubernetes.io/instance": "test"}, selector)
		var d appsv1.Deployment
		read(t, list[0].Object, &d)
		require.Equal(t, appsv1.RollingUpdateDeploymentStrategyType, d.Spec.Strategy.Type)
		require.Equal(t, "0", d.Spec.Strategy.RollingUpdate.MaxSurge.String())
		require.Equal(t, "1", d.Spec.Strategy.RollingUpdate.MaxUnavailable.String())
		require.Equal(t, int32(3), *d.Spec.RevisionHistoryLimit)
	}
	sharded := objects(t, render(t, "system", "-f", values("shards.yaml")))["StatefulSet"][0]
	strategy, _, err := unstructured.NestedString(sharded.Object, "spec", "updateStrategy", "type")
	require.NoError(t, err)
	require.Equal(t, "OnDelete", strategy)
}

// The alerts are those of deploy/prometheus, templates of Prometheus included, less the
// disabled ones and with further ones.
func TestTheAlerts(t *testing.T) {
	type group struct {
		Name  string           `json:"name"`
		Rules []map[string]any `json:"rules"`
	}
	raw, err := os.ReadFile(filepath.Join("..", "prometheus", "alerts.yaml"))
	require.NoError(t, err)
	var shipped struct {
		Groups []group `json:"groups"`
	}
	require.NoError(t, yaml.Unmarshal(raw, &shipped))
	groups := func(args ...string) (out []group) {
		o := objects(t, render(t, "system", args...))["PrometheusRule"][0]
		spec, err := yaml.Marshal(o.Object["spec"])
		require.NoError(t, err)
		var got struct {
			Groups []group `json:"groups"`
		}
		require.NoError(t, yaml.Unmarshal(spec, &got))
		return got.Groups
	}
	require.Equal(t, shipped.Groups, groups("--set", "prometheusRule.enabled=true"))
	some := groups("-f", values("everything.yaml"))
	require.Len(t, some, 2)
	require.Len(t, some[0].Rules, len(shipped.Groups[0].Rules)-1)
	require.False(t, slices.ContainsFunc(some[0].Rules, func(r map[string]any) bool { return r["alert"] == "ScanflowGone" }))
	require.Equal(t, "sf-extra", some[1].Name)
	require.Equal(t, map[string]any{"summary": "{{ $labels.instance }} is away"}, some[1].Rules[0]["annotations"])
}

// Over TLS, the pod of `helm test` has the authority that signed the certificate.
func TestTheTestOverTLS(t *testing.T) {
	for set, secret := range map[string]string{"tls.secretName=certificate": "certificate", "tls.secretName=certificate,test.ca.secretName=root,test.ca.key=root.pem": "root"} {
		var pod corev1.Pod
		read(t, objects(t, render(t, "system", "--set", set))["Pod"][0].Object, &pod)
		volume := pod.Spec.Volumes[0].Secret
		require.Equal(t, secret, volume.SecretName)
		require.Contains(t, pod.Spec.Containers[0].Args, "--server=https://test-scanflow.system.svc:8282")
		require.Contains(t, strings.Join(pod.Spec.Containers[0].Args, " "), "--ca-file=/ca/"+volume.Items[0].Path)
		require.NotContains(t, pod.Labels, "team")
		require.NotEqual(t, "scanflow", pod.Labels["app.kubernetes.io/name"], "or the Service would take it for one of its own")
	}
}

// A namespace that is watched needs no other value: its roles and agents are in it.
func TestTheWatchedNamespace(t *testing.T) {
	for set, want := range map[string]string{"service.port=80": "system", "watchNamespace=digits": "digits", "watchNamespace=null": "system"} {
		all := objects(t, render(t, "system", "--set", set))
		require.Contains(t, podOf(t, all).Containers[0].Args, "--namespace="+want)
		var in []string
		for _, role := range all["Role"] {
			in = append(in, role.GetName()+" "+role.GetNamespace())
		}
		require.ElementsMatch(t, []string{"test-scanflow-process system", "test-scanflow " + want}, in)
	}
	all := objects(t, render(t, "system", "-f", values("shards.yaml")))
	require.Contains(t, podOf(t, all).Containers[0].Args, "--namespace=")
	require.Len(t, all["Role"], 1, "no role of the defaults where every namespace is watched")
}
