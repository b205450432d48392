package testcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

var (
	namespaces      = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	serviceAccounts = schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
	definitions     = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	getOptions      = metav1.GetOptions{}
)

// waitTimeout bounds every wait for the cluster.
const waitTimeout = 30 * time.Second

// Namespace creates a namespace, which is deleted with its content when the test ends.
func (c *Cluster) Namespace(t testing.TB) string {
	t.Helper()
	name := c.uniqueName("test")
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	_, err := c.client.Dynamic.Resource(namespaces).Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name},
	}}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
		defer cancel()
		// A test may have stopped the API server for good.
		_ = c.client.Dynamic.Resource(namespaces).Delete(ctx, name, metav1.DeleteOptions{})
	})
	return name
}

// Apply applies every object of a YAML text by server-side apply, with the field manager
// "test". The default namespace is "default".
func (c *Cluster) Apply(t testing.TB, text string) []*unstructured.Unstructured {
	t.Helper()
	out, err := c.ApplyAs(context.Background(), "test", text)
	require.NoError(t, err)
	return out
}

// ApplyAs is Apply under another field manager.
func (c *Cluster) ApplyAs(ctx context.Context, manager, text string) ([]*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	return c.client.Apply(ctx, manager, text)
}

// InstallCRDs installs CRDs of testdata/crds or deploy/crds, by their file names without
// the extension, and waits until they are served.
func (c *Cluster) InstallCRDs(t testing.TB, names ...string) {
	t.Helper()
	require.NoError(t, c.Install(context.Background(), names...))
}

// Install is InstallCRDs outside of a test.
func (c *Cluster) Install(ctx context.Context, names ...string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	for _, name := range names {
		raw, err := os.ReadFile(filepath.Join(root, "testdata", "crds", name+".yaml"))
		if errors.Is(err, os.ErrNotExist) {
			raw, err = os.ReadFile(filepath.Join(root, "deploy", "crds", name+".yaml"))
		}
		if err != nil {
			return err
		}
		objects, err := c.ApplyAs(ctx, "test", string(raw))
		if err != nil {
			return err
		}
		for _, o := range objects {
			if err := c.established(ctx, o.GetName()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Cluster) established(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	return c.waitFor(ctx, "the definition "+name+" is established", func(ctx context.Context) error {
		o, err := c.client.Dynamic.Resource(definitions).Get(ctx, name, getOptions)
		if err != nil {
			return err
		}
		return checkCondition(o, "Established")
	})
}

// checkCondition returns an error unless a condition of an object is True.
func checkCondition(o *unstructured.Unstructured, kind string) error {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, raw := range conditions {
		if condition, ok := raw.(map[string]any); ok && condition["type"] == kind && condition["status"] == "True" {
			return nil
		}
	}
	return fmt.Errorf("its conditions are %v", conditions)
}

// KubeconfigFor returns a kubeconfig file with a token of a service account, which has the
// permissions of its RBAC bindings. The account is created if necessary.
func (c *Cluster) KubeconfigFor(t testing.TB, namespace, account string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), account+".kubeconfig")
	require.NoError(t, c.writeKubeconfig(file, c.Token(t, namespace, account, time.Hour), namespace))
	return file
}

// Token returns a token of a service account, which is created if necessary. The API
// server's minimum for expires is 10 minutes.
func (c *Cluster) Token(t testing.TB, namespace, account string, expires time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	_, err := c.client.Dynamic.Resource(serviceAccounts).Namespace(namespace).Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": account, "namespace": namespace},
	}}, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		require.NoError(t, err)
	}
	core, err := corev1client.NewForConfig(c.client.Config)
	require.NoError(t, err)
	seconds := int64(expires.Seconds())
	token, err := core.ServiceAccounts(namespace).CreateToken(ctx, account, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	return token.Status.Token
}
