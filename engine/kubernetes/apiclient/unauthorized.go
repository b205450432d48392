package apiclient

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// explainUnauthorized gives a 401, whose body is the one word "Unauthorized", a Status that names
// the user, the verb, the resource and the namespace, as that of a 403 does. Every request passes
// here, so every caller's error is complete. Clients do not read the body where a path is no
// resource's, as in discovery; the Status is the request's error there.
func explainUnauthorized(r *http.Request, resp *http.Response) error {
	if resp.StatusCode != http.StatusUnauthorized {
		return nil
	}
	what, isResource := requested(r)
	status := metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
		Reason: metav1.StatusReasonUnauthorized, Code: http.StatusUnauthorized,
		Message: fmt.Sprintf("the API server does not accept %s (401 Unauthorized): can't %s", credential(r.Header, time.Now()), what),
	}
	if !isResource {
		_ = resp.Body.Close()
		return &apierrors.StatusError{ErrStatus: status}
	}
	body, err := json.Marshal(status)
	if err != nil {
		return nil // the API server's own word is shown
	}
	_ = resp.Body.Close()
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Set("Content-Type", "application/json")
	resp.Header.Del("Content-Encoding")
	resp.Header.Del("Content-Length")
	return nil
}

// credential describes what a request authenticated with, and never contains it. A token of a
// ServiceAccount is a JWT: its subject and its expiry are read without verifying it.
func credential(h http.Header, now time.Time) string {
	token, bearer := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	if !bearer {
		return "the credentials of the kubeconfig, which have no token,"
	}
	var claims struct {
		Subject string `json:"sub"`
		Expiry  int64  `json:"exp"`
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "the token"
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(raw, &claims) != nil || claims.Subject == "" {
		return "the token"
	}
	of := fmt.Sprintf("the token of User %q", claims.Subject)
	switch expiry := time.Unix(claims.Expiry, 0).UTC(); {
	case claims.Expiry == 0:
		return of
	case expiry.Before(now):
		return fmt.Sprintf("%s, which expired at %s", of, expiry.Format(time.RFC3339))
	default:
		return fmt.Sprintf("%s, which is valid until %s and was revoked or lost its account", of, expiry.Format(time.RFC3339))
	}
}

// requested describes a request in the words of the API server's own 403.
func requested(r *http.Request) (what string, isResource bool) {
	group, resource, namespace, name := resourceOf(r.URL.Path)
	if resource == "" {
		return fmt.Sprintf("%s path %q", strings.ToLower(r.Method), r.URL.Path), false
	}
	out := fmt.Sprintf("%s resource %q in API group %q", verbOf(r, name), resource, group)
	if namespace != "" {
		out += fmt.Sprintf(" in the namespace %q", namespace)
	}
	return out, true
}

// resourceOf reads a path such as /apis/GROUP/VERSION/namespaces/NAMESPACE/RESOURCE/NAME/SUBRESOURCE,
// behind whatever prefix the server has. resource is "" for any other path.
func resourceOf(path string) (group, resource, namespace, name string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for len(parts) > 0 && parts[0] != "api" && parts[0] != "apis" {
		parts = parts[1:]
	}
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3:
		group, parts = parts[1], parts[3:]
	default:
		return "", "", "", ""
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		namespace, parts = parts[1], parts[2:]
	}
	if resource = parts[0]; len(parts) > 1 {
		name = parts[1]
	}
	if len(parts) > 2 {
		resource += "/" + parts[2]
	}
	return group, resource, namespace, name
}

func verbOf(r *http.Request, name string) string {
	switch r.Method {
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodPatch:
		return "patch"
	case http.MethodDelete:
		return "delete"
	}
	switch {
	case isWatch(r):
		return "watch"
	case name == "":
		return "list"
	}
	return "get"
}
