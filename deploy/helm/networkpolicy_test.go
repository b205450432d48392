package helm_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The NetworkPolicy opens what the values ask for, and nothing before.
func TestTheNetworkPolicy(t *testing.T) {
	policy := func(file string) networkingv1.NetworkPolicySpec {
		var p networkingv1.NetworkPolicy
		read(t, objects(t, render(t, "system", "-f", values(file)))["NetworkPolicy"][0].Object, &p)
		return p.Spec
	}
	namespace := func(name string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": name}}
	}
	scanflows := &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": "scanflow"}}
	to := func(p networkingv1.NetworkPolicySpec, port int32) (out []networkingv1.NetworkPolicyPeer) {
		for _, rule := range p.Egress {
			for _, at := range rule.Ports {
				if at.Port.IntVal == port {
					out = append(out, rule.To...)
				}
			}
		}
		return out
	}
	from := func(p networkingv1.NetworkPolicySpec) []networkingv1.NetworkPolicyPeer {
		require.Len(t, p.Ingress, 1)
		require.Len(t, p.Ingress[0].Ports, 1)
		require.Equal(t, int32(8282), p.Ingress[0].Ports[0].Port.IntVal)
		peers := p.Ingress[0].From
		tests := &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": "scanflow-test", "app.kubernetes.io/instance": "test"}}
		require.Equal(t, networkingv1.NetworkPolicyPeer{PodSelector: tests}, peers[1], "the pod of helm test")
		return append(peers[:1:1], peers[2:]...)
	}
	monitoring := networkingv1.NetworkPolicyPeer{NamespaceSelector: namespace("monitoring")}

	off := policy("default.yaml")
	require.Len(t, off.Egress, 3)
	require.Equal(t, []networkingv1.NetworkPolicyPeer{monitoring}, from(off))

	on := policy("tls.yaml")
	peer := networkingv1.NetworkPolicyPeer{NamespaceSelector: namespace("scanflow"), PodSelector: scanflows}
	require.Equal(t, []networkingv1.NetworkPolicyPeer{peer}, to(on, 8282))
	require.Equal(t, []networkingv1.NetworkPolicyPeer{{NamespaceSelector: namespace("mlflow")}}, to(on, 5000))
	require.Equal(t, []networkingv1.NetworkPolicyPeer{monitoring, peer}, from(on))

	all := policy("everything.yaml")
	require.Contains(t, to(all, 8080), networkingv1.NetworkPolicyPeer{NamespaceSelector: namespace("experiments")})
	require.Equal(t, []networkingv1.NetworkPolicyPeer{
		monitoring, {NamespaceSelector: namespace("other"), PodSelector: scanflows},
		{NamespaceSelector: namespace("argo")}, {IPBlock: &networkingv1.IPBlock{CIDR: "10.1.0.0/16"}},
	}, from(all))

	var p networkingv1.NetworkPolicy
	text := render(t, "system", "--set", "senders.list[0].name=hook,senders.list[0].bearerToken.secretName=hook")
	read(t, objects(t, text)["NetworkPolicy"][0].Object, &p)
	require.Equal(t, []networkingv1.NetworkPolicyPeer{monitoring}, from(p.Spec), "of these senders none is a peer")
	require.Len(t, p.Spec.Egress, 3)
}
