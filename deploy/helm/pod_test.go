package helm_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/freeport"
	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

func read(t *testing.T, o map[string]any, into any) {
	t.Helper()
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(o, into))
}

// podOf is the pod that a release has.
func podOf(t *testing.T, all map[string][]*unstructured.Unstructured) corev1.PodSpec {
	t.Helper()
	workloads := append(all["Deployment"], all["StatefulSet"]...)
	require.Len(t, workloads, 1)
	var template corev1.PodTemplateSpec
	raw, found, err := unstructured.NestedMap(workloads[0].Object, "spec", "template")
	require.NoError(t, err)
	require.True(t, found)
	read(t, raw, &template)
	return template.Spec
}

// release is the process of a pod.
type release struct {
	program, dir, url, log string
	client                 *http.Client
	stop                   func()
}

// startRelease runs what the pod's container would, with its files in a folder in place
// of the root, until the test ends.
func startRelease(t *testing.T, c *testcluster.Cluster, namespace string, pod corev1.PodSpec) *release {
	t.Helper()
	built, err := c.BuildBinaries(t.Context())
	require.NoError(t, err)
	address := freeport.Reserve(t)
	scheme := pod.Containers[0].Ports[0].Name
	r := &release{program: built.Scanflow, dir: t.TempDir(), url: scheme + "://" + address}
	r.log = filepath.Join(r.dir, "log")
	mountAll(t, c, namespace, pod, r.dir)
	transport := &http.Transport{}
	if scheme == "https" {
		authorities := x509.NewCertPool()
		raw, err := os.ReadFile(filepath.Join(r.dir, "peer-ca", "ca.crt"))
		require.NoError(t, err)
		require.True(t, authorities.AppendCertsFromPEM(raw))
		transport.TLSClientConfig = &tls.Config{RootCAs: authorities}
	}
	t.Cleanup(transport.CloseIdleConnections)
	r.client = &http.Client{Timeout: 10 * time.Second, Transport: transport}

	args := []string{}
	for _, arg := range pod.Containers[0].Args {
		switch flag, value, _ := strings.Cut(arg, "="); {
		case flag == "--listen":
			arg = flag + "=" + address
		case strings.HasPrefix(value, "/"):
			arg = flag + "=" + r.dir + value
		}
		args = append(args, arg)
	}
	log, err := os.Create(r.log)
	require.NoError(t, err)
	cmd := exec.Command(r.program, append(args, "--kubeconfig", c.KubeconfigFor(t, namespace, pod.ServiceAccountName))...)
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, os.Environ()
	for _, variable := range pod.Containers[0].Env {
		cmd.Env = append(cmd.Env, variable.Name+"="+variable.Value)
	}
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	r.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended, which is reported below
		select {
		case err := <-ended:
			require.NoError(t, err, r.said(t))
		case <-time.After(20 * time.Second):
			require.NoError(t, cmd.Process.Kill())
			require.Error(t, <-ended)
			require.Fail(t, "it did not end in time", r.said(t))
		}
		require.NoError(t, log.Close())
	})
	t.Cleanup(r.stop)
	return r
}

func (r *release) said(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(r.log)
	require.NoError(t, err)
	return string(raw)
}

// ask is one request; 0 is that of no answer.
func (r *release) ask(t *testing.T, method, path, token, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, bytes.NewReader([]byte(body)))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/cloudevents+json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return 0, ""
	}
	defer func() { require.NoError(t, resp.Body.Close()) }()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(raw)
}

// mountAll lays out what a pod mounts, from the Secrets and ConfigMaps of the cluster,
// below a folder. Where a ConfigMap names a file, it is the one there.
func mountAll(t *testing.T, c *testcluster.Cluster, namespace string, pod corev1.PodSpec, dir string) {
	t.Helper()
	data := func(resource, name string, into any) {
		api := c.Client().Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: resource}).Namespace(namespace)
		o, err := api.Get(t.Context(), name, metav1.GetOptions{})
		require.NoError(t, err)
		read(t, o.Object, into)
	}
	write := func(name string, content []byte) {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, content, 0o600))
	}
	secret := func(folder, name string, items []corev1.KeyToPath) {
		var s corev1.Secret
		data("secrets", name, &s)
		for _, item := range items {
			require.Contains(t, s.Data, item.Key)
			write(filepath.Join(folder, item.Path), s.Data[item.Key])
		}
	}
	for _, m := range pod.Containers[0].VolumeMounts {
		for _, v := range pod.Volumes {
			folder := filepath.Join(dir, m.MountPath)
			switch {
			case v.Name != m.Name:
			case v.Secret != nil:
				secret(folder, v.Secret.SecretName, v.Secret.Items)
			case v.Projected != nil:
				for _, source := range v.Projected.Sources {
					secret(folder, source.Secret.Name, source.Secret.Items)
				}
			case v.ConfigMap != nil:
				var found corev1.ConfigMap
				data("configmaps", v.ConfigMap.Name, &found)
				for name, content := range found.Data {
					write(filepath.Join(folder, name), []byte(strings.ReplaceAll(content, "file: /", "file: "+dir+"/")))
				}
			}
		}
	}
}
