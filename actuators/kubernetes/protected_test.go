package kubernetes

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
)

// The process of this test may do anything, so that only the refusal keeps it off.
func TestNoPolicyWritesAProtectedKind(t *testing.T) {
	b := newBench(t)
	target := engine.Target{APIVersion: "apps/v1", Kind: "Deployment", Namespace: b.ns, Name: "web"}
	for object, want := range map[string]string{
		"v1/ResourceQuota":                   "bounds what a namespace may use",
		"v1/LimitRange":                      "bounds what a namespace may use",
		"v1/Secret":                          "holds credentials",
		"v1/secret":                          "holds credentials",
		"v1/SECRET":                          "holds credentials",
		"v1/SecretList":                      "holds credentials",
		"v1/List":                            "has several objects",
		"v1/ServiceAccount":                  "is an account",
		"v1/Node":                            "is shared",
		"v1/Namespace":                       "is shared",
		"v1/Endpoints":                       "past the network's policies",
		"v1/Event":                           "is the record",
		"events.k8s.io/v1/Event":             "is the record",
		"discovery.k8s.io/v1/EndpointSlice":  "past the network's policies",
		"networking.k8s.io/v1/NetworkPolicy": "bounds the traffic",
		"networking.k8s.io/v1beta1/NetworkPolicy":                   "bounds the traffic",
		"Networking.K8s.IO/v1/networkpolicy":                        "bounds the traffic",
		"policy.networking.k8s.io/v1alpha1/AdminNetworkPolicy":      "bounds the traffic",
		"policy.networking.k8s.io/v1alpha2/ClusterNetworkPolicy":    "bounds the traffic",
		"coordination.k8s.io/v1/Lease":                              "decides who leads",
		"coordination.k8s.io/v1alpha2/LeaseCandidate":               "decides who leads",
		"rbac.authorization.k8s.io/v1/RoleBinding":                  "grants permissions",
		"rbac.authorization.k8s.io/v2/Whatever":                     "grants permissions",
		"admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy": "admits",
		"apiextensions.k8s.io/v1/CustomResourceDefinition":          "defines kinds",
		"apiregistration.k8s.io/v1/APIService":                      "defines kinds",
		"certificates.k8s.io/v1/CertificateSigningRequest":          "grants an identity",
		"flowcontrol.apiserver.k8s.io/v1/FlowSchema":                "whose requests",
		"scheduling.k8s.io/v1/PriorityClass":                        "give way",
		"storage.k8s.io/v1/StorageClass":                            "is shared",
		"policy/v1/PodDisruptionBudget":                             "may be evicted",
		"policy/v1/Eviction":                                        "may be evicted",
		"authentication.k8s.io/v1/TokenRequest":                     "grants an identity",
		"scanflow.dev/v1alpha1/Ledger":                              "is Scanflow's own",
		"cert-manager.io/v1/Certificate":                            "grants an identity",
		"argoproj.io/v1alpha1/Application":                          "installs what it names",
		"v1/PodExecOptions":                                         "", // subresources, each refused in its own words
		"autoscaling/v1/Scale":                                      "",
		"v1/ConfigMapList":                                          "",
	} {
		i := strings.LastIndex(object, "/")
		version, kind := object[:i], object[i+1:]
		o := map[string]any{"apiVersion": version, "kind": kind, "metadata": map[string]any{"name": "x"}}
		if strings.HasSuffix(kind, "List") {
			o["items"] = []any{}
		}
		_, err := Apply(b.Cluster).Plan(testContext(t), proposal("apply", target, map[string]any{"object": o}))
		require.Error(t, err, object)
		require.False(t, engine.IsRetryable(err), object)
		if want == "" {
			require.Regexp(t, "subresource|several objects|the cluster has no kind", err.Error(), object)
			continue
		}
		require.ErrorContains(t, err, want, object)
		require.ErrorContains(t, err, "so no policy may write it", object)
		_, err = Annotate(b.Cluster).Plan(testContext(t), proposal("annotate", engine.Target{APIVersion: version, Kind: kind, Namespace: b.ns, Name: "x"}, notes(map[string]any{"example.com/a": "1"})))
		require.ErrorContains(t, err, want, object)
	}
	for _, name := range []string{"web/scale", "../x", "web%2Fscale", ".."} {
		_, err := Apply(b.Cluster).Plan(testContext(t), proposal("apply", target, map[string]any{"object": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": name}}}))
		require.ErrorContains(t, err, "is no name of an object; a subresource can't be written", name)
	}
	for _, object := range []string{"v1/ConfigMap", "apps/v1/Deployment", "networking.k8s.io/v1/Ingress", "v1/PersistentVolumeClaim", "argoproj.io/v1alpha1/Workflow", "serving.kserve.io/v1beta1/InferenceService"} {
		i := strings.LastIndex(object, "/")
		require.Empty(t, verbparams.Protected(object[:i], object[i+1:]), object)
	}
}

// A change that was planned by an older program, and approved since, is refused when it is to
// be carried out, and when it is to be undone.
func TestAnOldPlanOfAProtectedKindIsNotCarriedOut(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", "{apiVersion: v1, kind: ResourceQuota, metadata: {name: team}, spec: {hard: {pods: \"10\"}}}")
	o := b.read(t, "v1", "ResourceQuota", "team")
	for verb, a := range map[string]engine.Actuator{"apply": Apply(b.Cluster), "annotate": Annotate(b.Cluster)} {
		plan, err := json.Marshal(patchPlan{Write: objectPatch{
			APIVersion: "v1", Kind: "ResourceQuota", Namespace: b.ns, Name: "team", ResourceVersion: o.GetResourceVersion(), UID: string(o.GetUID()), Manager: "scanflow-" + verb,
			Set: map[string]any{"metadata": map[string]any{"annotations": map[string]any{"example.com/a": "1"}}, "spec": map[string]any{"hard": map[string]any{"pods": "1000"}}}, Before: map[string]any{},
		}})
		require.NoError(t, err)
		change := engine.Change{Proposal: proposal(verb, engine.Target{APIVersion: "v1", Kind: "ResourceQuota", Namespace: b.ns, Name: "team"}, nil), Data: plan}
		_, err = a.Apply(testContext(t), change)
		require.ErrorContains(t, err, verb+" ResourceQuota "+b.ns+"/team: ResourceQuota of v1 bounds what a namespace may use, so no policy may write it; let a person write it")
		_, err = a.(engine.Undoer).Undo(testContext(t), change)
		require.ErrorContains(t, err, "no policy may write it")
	}
	now := b.read(t, "v1", "ResourceQuota", "team") // its controller writes the status
	require.Equal(t, o.Object["spec"], now.Object["spec"])
	require.Empty(t, now.GetAnnotations())
	_, err := b.on(t, "v1", "Secret").Get(testContext(t), "x", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err))
}
