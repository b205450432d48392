package apiclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Right identifies the permission that RBAC has to grant for a request.
type Right struct {
	Verb, Group string
	// Resource includes the subresource, as in deployments/scale.
	Resource  string
	Namespace string // "" is the whole cluster
	// Name is the object that was asked for; "" is none in particular.
	Name string
}

// Rule returns the rule to add to a Role, as YAML in one line. Only the rule for a Secret is
// limited to one object.
func (r Right) Rule() string {
	names := ""
	if r.Resource == "secrets" && r.Name != "" {
		names = fmt.Sprintf(", resourceNames: [%q]", r.Name)
	}
	verbs := strconv.Quote(r.Verb)
	if r.Verb == "list" || r.Verb == "watch" { // who follows objects does both
		verbs = `"list", "watch"`
	}
	return fmt.Sprintf("{apiGroups: [%q], resources: [%q]%s, verbs: [%s]}", r.Group, r.Resource, names, verbs)
}

// Role names the kind of role that the rule goes into.
func (r Right) Role() string {
	if r.Namespace == "" {
		return "a ClusterRole, bound by a ClusterRoleBinding"
	}
	return "a Role in the namespace " + r.Namespace
}

// String is "patch deployments/scale of apps in the namespace ml".
func (r Right) String() string {
	text := r.Verb + " " + r.Resource
	if r.Group != "" {
		text += " of " + r.Group
	}
	if r.Namespace != "" {
		return text + " in the namespace " + r.Namespace
	}
	return text + " in all namespaces"
}

// ForbiddenError means that the API server refused a request because RBAC does not grant it
// to this process. It implements engine.RightError. A refusal by admission is none.
type ForbiddenError struct {
	Right Right
	User  string
	err   error
}

var _ engine.RightError = (*ForbiddenError)(nil)

// Error returns the text of the error that it was found in.
func (e *ForbiddenError) Error() string { return e.err.Error() }

func (e *ForbiddenError) Unwrap() error { return e.err }

// MissingRight implements engine.RightError. Rights that differ in the object alone are the
// same one, except those to Secrets.
func (e *ForbiddenError) MissingRight() string {
	at := e.Right
	if at.Resource != "secrets" {
		at.Name = ""
	}
	return fmt.Sprintf("%s %s %s %s %s", at.Verb, at.Group, at.Resource, at.Namespace, at.Name)
}

// Explain says what is missing, for whom, and the rule to add.
func (e *ForbiddenError) Explain() string {
	return fmt.Sprintf("%s may not %s; add to %s: %s", e.User, e.Right, e.Right.Role(), e.Right.Rule())
}

// denied is the API server's message where the authorizer refuses a request. Its Status has
// the object, but neither the verb nor the namespace in fields of their own.
var denied = regexp.MustCompile(`: User ("(?:[^"\\]|\\.)*") cannot (\S+) resource "([^"]+)" in API group "([^"]*)" (?:in the namespace "([^"]*)"|at the cluster scope)`)

// missingRight returns the error as a *ForbiddenError, nil where it is none.
func missingRight(err error) *ForbiddenError {
	var known *ForbiddenError
	var answer apierrors.APIStatus
	switch {
	case errors.As(err, &known):
		return &ForbiddenError{Right: known.Right, User: known.User, err: err}
	case !errors.As(err, &answer) || answer.Status().Code != http.StatusForbidden:
		return nil
	}
	status := answer.Status()
	m := denied.FindStringSubmatch(status.Message)
	if m == nil {
		return nil
	}
	user, quoteErr := strconv.Unquote(m[1])
	if quoteErr != nil {
		user = strings.Trim(m[1], `"`)
	}
	out := &ForbiddenError{User: user, Right: Right{Verb: m[2], Group: m[4], Resource: m[3], Namespace: m[5]}, err: err}
	if status.Details != nil {
		out.Right.Name = status.Details.Name
	}
	return out
}

var accessReviews = schema.GroupVersionResource{Group: "authorization.k8s.io", Version: "v1", Resource: "selfsubjectaccessreviews"}

// May asks the API server whether this process has a right. Each authenticated user may ask,
// unless the cluster took that away.
func (c *Client) May(ctx context.Context, r Right) (bool, error) {
	resource, subresource, _ := strings.Cut(r.Resource, "/")
	answer, err := c.Dynamic.Resource(accessReviews).Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
		"spec": map[string]any{"resourceAttributes": map[string]any{
			"verb": r.Verb, "group": r.Group, "resource": resource, "subresource": subresource, "namespace": r.Namespace, "name": r.Name,
		}},
	}}, metav1.CreateOptions{})
	if err != nil {
		return false, Classify(fmt.Errorf("ask for the right to %s: %w", r, err))
	}
	allowed, _, err := unstructured.NestedBool(answer.Object, "status", "allowed")
	return allowed, err
}

// NewForbidden returns the error of a request that needs a right which a user lacks.
func NewForbidden(r Right, user string) *ForbiddenError {
	return &ForbiddenError{Right: r, User: user, err: fmt.Errorf("%s may not %s", user, r)}
}
