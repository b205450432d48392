package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheObjectsThatAStrategyNames(t *testing.T) {
	rev := compiled(t, one(`propose contains {
	"primitive": "apply", "reason": "r", "because": [],
	"with": {"object": {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "x"}}},
}

propose contains p if {
	kind := "NetworkPolicy"
	object := {"apiVersion": "networking.k8s.io/v1", "kind": kind, "metadata": {"name": input.target.name}}
	with_ := {"object": object}
	p := {"primitive": "apply", "reason": "r", "because": [], "with": with_}
}

propose contains {"primitive": "apply", "reason": "r", "because": [], "with": {"object": input.params.object}}

propose contains {"primitive": "apply", "reason": "r", "because": [], "with": {"object": {"apiVersion": "v1", "kind": input.params.kind}}}

propose contains {"primitive": "scale", "reason": "r", "because": [], "with": {"replicas": 1}}
`), Options{})
	require.Equal(t, []ObjectReference{{"apply", "v1", "ResourceQuota", "x.rego", 5}, {"apply", "networking.k8s.io/v1", "NetworkPolicy", "x.rego", 9}}, rev.Objects("x"))
	require.Empty(t, rev.Objects("nobody"))
}
