package apiclient_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/hosts"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// A Secret is sent only to hosts allowed by the flag or by its annotation at the time of use. A
// refusal names the host and both ways to allow it.
func TestASecretGoesToAllowedHostsOnly(t *testing.T) {
	c := testcluster.Shared(t)
	ns := c.Namespace(t)
	clock := &handClock{now: time.Now()}
	flag, err := hosts.Parse("flag.example.com")
	require.NoError(t, err)
	secrets := apiclient.NewSecrets(c.Client(), clock, flag)
	annotated := func(annotation string) {
		t.Helper()
		c.Apply(t, fmt.Sprintf("{apiVersion: v1, kind: Secret, metadata: {name: hook, namespace: %s, annotations: {scanflow.dev/hosts: %q}}, stringData: {token: hunter2}}", ns, annotation))
		clock.forward(30 * time.Second)
	}
	read := func(address string) error {
		t.Helper()
		u, err := url.Parse(address)
		require.NoError(t, err)
		value, err := secrets.Read(t.Context(), ns, "hook", "token", u)
		allowed := secrets.Allow(t.Context(), ns, "hook", u)
		if err == nil {
			require.Equal(t, "hunter2", value)
			require.NoError(t, allowed)
			return nil
		}
		require.Empty(t, value)
		require.Equal(t, err, allowed)
		require.NotContains(t, err.Error(), "hunter2")
		require.False(t, engine.IsRetryable(err))
		return err
	}

	applySecret(t, c, ns, "hook", "token: hunter2")
	require.NoError(t, read("https://flag.example.com/x"))
	var refused *apiclient.NotAllowedError
	require.ErrorAs(t, read("https://API.example.com/x?y=z"), &refused)
	require.EqualError(t, refused, fmt.Sprintf("the Secret %s/hook may not be sent to https://api.example.com; add that to the annotation scanflow.dev/hosts of the Secret, or to --secret-hosts of the process", ns))
	annotated("")
	require.ErrorAs(t, read("https://api.example.com/"), &refused)
	annotated(refused.Host + ", http://mlflow.ml.svc:5000")
	require.NoError(t, read("https://api.example.com/"))
	require.NoError(t, read("http://mlflow.ml.svc:5000/"))
	require.NoError(t, read("https://flag.example.com/x"), "the flag counts besides")
	require.ErrorContains(t, read("http://api.example.com/"), "may not be sent to http://api.example.com;")
	require.ErrorContains(t, read("http://mlflow.ml.svc/"), "may not be sent to http://mlflow.ml.svc;")
	require.ErrorContains(t, read("https://evil.example.com/"), "may not be sent to https://evil.example.com;")
	require.ErrorContains(t, read("https://u:p@api.example.com/"), "holds a user")

	annotated("https://other.example.com")
	require.ErrorAs(t, read("https://api.example.com/"), &refused, "the annotation is taken up as the Secret is")
	annotated("https://api.example.com, *")
	require.ErrorContains(t, read("https://api.example.com/"), fmt.Sprintf(`the annotation scanflow.dev/hosts of the Secret %s/hook: "*": has a *`, ns), "nobody knows what it was meant to say")
	require.NoError(t, read("https://flag.example.com/x"))

	_, err = secrets.Read(t.Context(), ns, "hook", "token", nil)
	require.ErrorContains(t, err, "is sent nowhere: no address is given")
	require.ErrorContains(t, secrets.Allow(t.Context(), ns, "none", there), "there is no such Secret")
}
