package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

var webhooksResource = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"}

const fewWebhook = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: few-NAMESPACE}
webhooks:
  - name: few.example.org
    clientConfig: {url: "HOOK", caBundle: CA}
    rules: [{apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments/scale]}]
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAMESPACE}}
    failurePolicy: Fail
    sideEffects: None
    admissionReviewVersions: [v1]
    timeoutSeconds: 2
`

// fewReplicas is an admission webhook that allows at most 3 replicas; where it is
// broken, it answers nothing that an API server understands.
func fewReplicas(broken *atomic.Bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var review struct {
			Request struct {
				UID    string
				Object struct{ Spec struct{ Replicas int } }
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil || broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		few := review.Request.Object.Spec.Replicas <= 3
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
			"response": map[string]any{"uid": review.Request.UID, "allowed": few, "status": map[string]any{"message": "no more than 3 here"}},
		})
	}
}

// An admission webhook denies a write: the object is unchanged, the outcome has the
// webhook's message, and the agent continues. If the webhook itself fails, the write is
// retried, since the webhook may recover.
func TestKubernetesAWebhookDeniesTheWrite(t *testing.T) {
	t.Parallel()
	s := newStage(t, testcluster.Shared(t), followAgent)
	var broken atomic.Bool
	hook := httptest.NewTLSServer(fewReplicas(&broken))
	ca := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hook.Certificate().Raw}))
	s.apply(strings.NewReplacer("HOOK", hook.URL, "CA", ca).Replace(fewWebhook))
	t.Cleanup(func() {
		require.NoError(t, s.cluster.Client().Dynamic.Resource(webhooksResource).Delete(context.Background(), "few-"+s.namespace, metav1.DeleteOptions{}))
		hook.Close()
	})
	s.apply(webDeployment)
	s.wants(5)
	s.apply(followAgent)
	d := s.daemon()
	s.until("the denial is an event of the target", func() bool {
		return strings.Contains(s.events("web"), "Warning ScaleFailed") && strings.Contains(s.events("web"), "no more than 3 here")
	})
	require.EqualValues(t, 1, s.replicas("web"))
	d.fires(s.namespace+"/follower", 8)
	require.Equal(t, 1, strings.Count(s.events("web"), "ScaleFailed"), "once is enough to tell it")

	s.wants(3)
	s.scaledTo("web", 3)

	broken.Store(true)
	s.wants(2)
	d.said("failed calling webhook")
	require.EqualValues(t, 3, s.replicas("web"))
	broken.Store(false)
	s.scaledTo("web", 2)
	d.stop()
}
