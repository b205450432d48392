package manifest

import (
	"net/url"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

const userFix = "put the credentials in basicAuth or a header, by reference: {env: NAME}, {file: PATH} or {secretKeyRef: {name: NAME, key: KEY}}"

// hideUsers finds credentials inside URLs, anywhere in the document: they would
// reach logs, documents and the journal.
func (d *decoder) hideUsers(n *yaml.Node, p *place, depth int) {
	if depth > maxDepth || d.overflow {
		return
	}
	switch n.Kind {
	case yaml.ScalarNode:
		if hasUser(n.Value) {
			d.hidden[n] = true
			d.bad(p, "has a URL with a user in it", userFix)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if hasUser(key.Value) {
				d.hidden[key] = true
				d.bad(p.field(key.Value), "has a URL with a user in its key", userFix)
			}
			d.hideUsers(n.Content[i+1], p.field(key.Value), depth+1)
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			d.hideUsers(item, p.item(i), depth+1)
		}
	}
}

var (
	// The text between a scheme and an @ that is still in the host's place. PromQL
	// has an @ of its own, after a quote or a blank.
	userInText = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s"'<>]*@`)
	beginsURL  = regexp.MustCompile(`^\s*[A-Za-z][A-Za-z0-9+.-]*://`)
)

// hasUser tells whether a text is, or holds, a URL with a user. A password with a
// slash or a blank in it makes no URL any more, and is a secret all the same.
func hasUser(s string) bool {
	if !strings.Contains(s, "@") || !strings.Contains(s, "://") {
		return false
	}
	if userInText.MatchString(s) {
		return true
	}
	if !beginsURL.MatchString(s) {
		return false
	}
	u, err := url.Parse(strings.TrimSpace(s))
	return err != nil || u.User != nil
}
