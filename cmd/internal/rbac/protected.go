package rbac

import (
	"fmt"
	"regexp"
	"slices"
	"unicode"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
)

// kindName is the name of a kind; a wildcard or a subresource is none.
var kindName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9.-]+)?$`)

// coreKinds are the namespaced kinds of the core group that can be applied, and those that are
// protected.
var coreKinds = []string{
	"ConfigMap", "Endpoints", "Event", "LimitRange", "PersistentVolumeClaim", "Pod", "PodTemplate", "ReplicationController", "ResourceQuota", "Secret",
	"Service", "ServiceAccount", "Namespace", "Node", "PersistentVolume",
}

// checkApplied refuses a kind that the verb `apply` may not write.
func checkApplied(kind string) error {
	if !kindName.MatchString(kind) {
		return fmt.Errorf("kinds to apply: %q is no kind; write Kind.group, such as Ingress.networking.k8s.io, or Kind of the core group", kind)
	}
	s := parseKind(kind)
	if reason := verbparams.Protected(s.APIVersion, s.Kind); reason != "" {
		return fmt.Errorf("kinds to apply: %s %s, so no policy may write it", kind, reason)
	}
	if name := s.Kind; unicode.IsLower(rune(name[0])) {
		return fmt.Errorf("kinds to apply: %q is not written as a kind; write the kind, such as ConfigMap for configmaps, as in an object's field kind", kind)
	}
	if s.Group() == "" && !slices.Contains(coreKinds, s.Kind) {
		return fmt.Errorf("kinds to apply: the core group has no kind %s; write Kind.group, such as Deployment.apps", s.Kind)
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
