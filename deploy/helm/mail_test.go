package helm_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func values(name string) string { return filepath.Join("testdata", "values", name) }

// filesOf are the paths of the files that a container finds, and of the folders that
// it finds whole ("/senders/*").
func filesOf(t *testing.T, pod corev1.PodSpec) (out []string) {
	t.Helper()
	at := map[string]string{}
	for _, m := range pod.Containers[0].VolumeMounts {
		at[m.Name] = m.MountPath
		require.Equal(t, m.Name != "data" && m.Name != "tmp", m.ReadOnly, m.Name)
	}
	require.Len(t, at, len(pod.Volumes))
	for _, v := range pod.Volumes {
		require.Contains(t, at, v.Name)
		items := func(list []corev1.KeyToPath) {
			for _, item := range list {
				out = append(out, at[v.Name]+"/"+item.Path)
			}
		}
		switch {
		case v.Secret != nil && len(v.Secret.Items) > 0:
			items(v.Secret.Items)
		case v.Secret != nil, v.ConfigMap != nil:
			out = append(out, at[v.Name]+"/*")
		case v.Projected != nil:
			for _, source := range v.Projected.Sources {
				items(source.Secret.Items)
			}
		}
	}
	return out
}

// A secret reaches the process as a file, mounted read-only: every file that an
// argument names is there.
func TestSecretsAreFiles(t *testing.T) {
	for file, want := range map[string][]string{
		"default.yaml": nil,
		"everything.yaml": {
			"--mlflow-ca=/authorities/ca.crt", "--peer-token-file=/peer-token/word", "--policies=/policies", "--senders=/senders/who.yaml", "--token-file=/token/bearer.txt",
		},
		"signed.yaml": {"--policies-key=/policies-key/public.pem", "--policies=/policies"},
		"shards.yaml": {"--policies-token-file=/policies-token/bearer.txt"},
		"tls.yaml": {
			"--client-ca=/client-ca/clients.pem", "--peer-ca=/peer-ca/ca.crt", "--peer-token-file=/peer-token/out", "--senders=/senders/senders.yaml",
			"--tls-cert=/tls/tls.crt", "--tls-key=/tls/tls.key",
		},
	} {
		t.Run(file, func(t *testing.T) {
			pod := podOf(t, objects(t, render(t, "system", "-f", values(file))))
			there := filesOf(t, pod)
			var named []string
			for _, arg := range pod.Containers[0].Args {
				_, path, _ := strings.Cut(arg, "=")
				if !strings.HasPrefix(path, "/") || path == "/data" {
					continue
				}
				named = append(named, arg)
				whole := slices.Contains(there, path+"/*") || slices.Contains(there, filepath.Dir(path)+"/*")
				require.True(t, whole || slices.Contains(there, path), "%s is not among %v", arg, there)
			}
			slices.Sort(named)
			require.Equal(t, want, named)
		})
	}
}

// With a certificate, the probes of the kubelet, the scrapes of Prometheus and the name of the
// port are HTTPS.
func TestHTTPS(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		scheme corev1.URIScheme
		port   string
		extra  map[string]any
	}{
		"without": {[]string{"-f", values("shards.yaml")}, corev1.URISchemeHTTP, "http", nil},
		"with": {[]string{"-f", values("shards.yaml"), "--set", "tls.secretName=c"}, corev1.URISchemeHTTPS, "https", map[string]any{
			"scheme": "https", "tlsConfig": map[string]any{"serverName": "test-scanflow.system.svc"},
		}},
		"with an authority and a name": {
			[]string{"-f", values("tls.yaml"), "--set", "serviceMonitor.ca.secretName=authorities,serviceMonitor.serverName=scanflow.example.org"},
			corev1.URISchemeHTTPS, "https", map[string]any{
				"scheme": "https",
				"tlsConfig": map[string]any{
					"serverName": "scanflow.example.org",
					"ca":         map[string]any{"secret": map[string]any{"name": "authorities", "key": "ca.crt"}},
				},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := objects(t, render(t, "system", append(c.args, "--set", "serviceMonitor.enabled=true")...))
			container := podOf(t, all).Containers[0]
			for _, p := range []*corev1.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
				if p != nil {
					require.Equal(t, c.scheme, p.HTTPGet.Scheme)
					require.Equal(t, c.port, p.HTTPGet.Port.String())
				}
			}
			require.Equal(t, c.port, container.Ports[0].Name)
			var service corev1.Service
			read(t, all["Service"][0].Object, &service)
			require.Equal(t, c.port, service.Spec.Ports[0].Name)
			require.Equal(t, c.port, service.Spec.Ports[0].TargetPort.String())
			endpoints, _, err := unstructured.NestedSlice(all["ServiceMonitor"][0].Object, "spec", "endpoints")
			require.NoError(t, err)
			want := map[string]any{"port": c.port, "path": "/metrics", "interval": "15s"}
			for k, v := range c.extra {
				want[k] = v
			}
			require.Equal(t, []any{want}, endpoints)
		})
	}
}

// The file of senders names a file for each token, and the token's key is mounted there.
func TestSenders(t *testing.T) {
	all := objects(t, render(t, "system", "-f", values("tls.yaml")))
	var file corev1.ConfigMap
	read(t, all["ConfigMap"][0].Object, &file)
	var senders map[string]any
	require.NoError(t, yaml.UnmarshalStrict([]byte(file.Data["senders.yaml"]), &senders))
	require.Equal(t, map[string]any{"senders": []any{
		map[string]any{"name": "alertmanager", "bearerToken": map[string]any{"file": "/senders-tokens/alertmanager"}},
		map[string]any{
			"name": "east", "peer": true, "bearerToken": map[string]any{"file": "/senders-tokens/east"},
			"clientCertificate": map[string]any{"dnsName": "scanflow-east"},
		},
		map[string]any{"name": "ana", "rights": []any{"read", "answer"}, "bearerToken": map[string]any{"file": "/senders-tokens/ana"}},
		map[string]any{"name": "edge", "clientCertificate": map[string]any{"uri": "spiffe://example.org/edge"}},
	}}, senders)
	pod := podOf(t, all)
	tokens := map[string]string{}
	for _, v := range pod.Volumes {
		if v.Projected == nil {
			continue
		}
		for _, source := range v.Projected.Sources {
			for _, item := range source.Secret.Items {
				tokens[item.Path] = source.Secret.Name + "/" + item.Key
			}
		}
	}
	require.Equal(t, map[string]string{"alertmanager": "alertmanager/token", "ana": "ana/token", "east": "words/east"}, tokens)
}

// The rights do not depend on the settings for events: the Secrets are mounted, and agents are
// selected from those that may be listed anyway.
func TestMailAndSelectorTakeNoRight(t *testing.T) {
	rights := func(file string) (out []map[string]any) {
		all := objects(t, render(t, "system", "-f", values(file)))
		for _, kind := range []string{"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"} {
			for _, o := range all[kind] {
				out = append(out, o.Object)
			}
		}
		return out
	}
	require.Equal(t, rights("default.yaml"), rights("tls.yaml"))
}
