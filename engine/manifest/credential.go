package manifest

import (
	"net/url"
	"strings"
)

// Credential says what an agent shows to the addresses below a URL.
type Credential struct {
	URL         string     `json:"url" required:"true" doc:"the addresses that it is for: the same scheme and host, and this path or one below"`
	BearerToken *Secret    `json:"bearerToken,omitempty" doc:"sent as Authorization: Bearer"`
	BasicAuth   *BasicAuth `json:"basicAuth,omitempty" doc:"sent as Authorization: Basic"`
}

// BasicAuth is a user with a password.
type BasicAuth struct {
	Username string `json:"username" required:"true" doc:"the user"`
	Password Secret `json:"password" required:"true" doc:"where the password is found"`
}

// Check finds what the types don't show.
func (c *Credential) Check() []string {
	var out []string
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		out = append(out, "url: must begin with http:// or https:// and name a host")
	} else if u.User != nil || u.RawQuery != "" {
		out = append(out, "url: holds a user or a query; give scheme, host and path")
	}
	if (c.BearerToken == nil) == (c.BasicAuth == nil) {
		out = append(out, "wants exactly one of bearerToken and basicAuth")
	}
	return out
}

// Covers tells whether an address is this URL's or below it.
func (c *Credential) Covers(address string) bool {
	mine, err := url.Parse(c.URL)
	if err != nil {
		return false
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != mine.Scheme || !strings.EqualFold(u.Host, mine.Host) || strings.Contains(u.Path, "..") {
		return false
	}
	below := strings.TrimSuffix(mine.Path, "/")
	return below == "" || u.Path == below || strings.HasPrefix(u.Path, below+"/")
}
