package agentcr

import (
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// MissingRight returns a right as a status has it.
func MissingRight(e *apiclient.ForbiddenError) manifest.MissingRight {
	r := e.Right
	return manifest.MissingRight{Verb: r.Verb, APIGroup: r.Group, Resource: r.Resource, Namespace: r.Namespace, Name: r.Name, User: e.User}
}

// ForbiddenError is the reverse of MissingRight.
func ForbiddenError(r manifest.MissingRight) *apiclient.ForbiddenError {
	return apiclient.NewForbidden(apiclient.Right{Verb: r.Verb, Group: r.APIGroup, Resource: r.Resource, Namespace: r.Namespace, Name: r.Name}, r.User)
}
