package rbac

import (
	"fmt"
	"regexp"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
)

// kindName is the name of a kind; a wildcard or a subresource is none.
var kindName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9.-]+)?$`)

// checkApplied refuses a kind that the verb `apply` may not write.
func checkApplied(kind string) error {
	if !kindName.MatchString(kind) {
		return fmt.Errorf("kinds to apply: %q is no kind; write Kind.group, such as Ingress.networking.k8s.io, or Kind of the core group", kind)
	}
	s := parseKind(kind)
	if reason := verbparams.Protected(s.APIVersion, s.Kind); reason != "" {
		return fmt.Errorf("kinds to apply: %s %s, so no policy may write it", kind, reason)
	}
	return nil
}

// checkProtected refuses a need that would let a policy write a protected kind, also where the
// name of its resources was given.
func (n *need) checkProtected() error {
	if n.writer == "" {
		return nil
	}
	if reason := verbparams.ProtectedResource(n.Group, n.Resource); reason != "" {
		return fmt.Errorf("%s: the resource %s of the group %q %s, so no policy may write it", n.why, n.Resource, n.Group, reason)
	}
	return nil
}
