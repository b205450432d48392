package manifest

import (
	"net/url"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/urlguard"
)

// Credential authenticates an agent to the addresses below a URL.
type Credential struct {
	URL         string     `json:"url" required:"true" doc:"the addresses that it is for: the same scheme and host, and this path or one below"`
	BearerToken *Secret    `json:"bearerToken,omitempty" doc:"sent as Authorization: Bearer"`
	BasicAuth   *BasicAuth `json:"basicAuth,omitempty" doc:"sent as Authorization: Basic"`
	Headers     Headers    `json:"headers,omitempty" doc:"headers to send, by name: a text, or a reference where it is secret"`
}

// BasicAuth is a user with a password.
type BasicAuth struct {
	Username string `json:"username" required:"true" doc:"the user"`
	Password Secret `json:"password" required:"true" doc:"where the password is found"`
}

// Check implements Checker.
func (c *Credential) Check() mistake.Mistakes {
	var out mistake.Mistakes
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		out.Add("url", "must begin with http:// or https:// and name a host", "")
	} else if u.User != nil || u.RawQuery != "" {
		out.Add("url", "holds a user or a query", "give scheme, host and path")
	} else if err := urlguard.PrefixProblem(c.URL); err != nil {
		out.Add("url", "bounds nothing: "+err.Error(), "give scheme, host and path, like https://hooks.example.com/team/")
	}
	switch {
	case c.BearerToken != nil && c.BasicAuth != nil:
		out.Add("", "wants one of bearerToken and basicAuth, not both", "")
	case c.BearerToken == nil && c.BasicAuth == nil && c.Headers == nil:
		out.Add("", "shows nothing", "add bearerToken, basicAuth or headers")
	}
	return append(out, c.Headers.Check(c.BearerToken != nil || c.BasicAuth != nil)...)
}

// Covers reports whether an address is the credential's URL or below it. It compares as
// spec.guards.urls does.
func (c *Credential) Covers(address string) bool { return urlguard.Below(address, c.URL) }
