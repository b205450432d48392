package manifest

import (
	"net/url"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

const userinfoFix = "put the credentials in basicAuth or a header, by reference: {env: NAME}, {file: PATH} or {secretKeyRef: {name: NAME, key: KEY}}"

// rejectUserinfo rejects URLs with credentials, anywhere in the document: they would get into
// logs, documents and the journal.
func (d *decoder) rejectUserinfo(n *yaml.Node, p *fieldPath, depth int) {
	if depth > maxDepth || d.overflow {
		return
	}
	switch n.Kind {
	case yaml.ScalarNode:
		if hasUserinfo(n.Value) {
			d.hidden[n] = true
			d.reject(p, "has a URL with a user in it", userinfoFix)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if hasUserinfo(key.Value) {
				d.hidden[key] = true
				d.reject(p.field(key.Value), "has a URL with a user in its key", userinfoFix)
			}
			d.rejectUserinfo(n.Content[i+1], p.field(key.Value), depth+1)
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			d.rejectUserinfo(item, p.item(i), depth+1)
		}
	}
}

var (
	// A scheme, and an @ before the path. PromQL has an @ too, after a quote or a blank.
	userinfoInText = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s"'<>]*@`)
	beginsURL      = regexp.MustCompile(`^\s*[A-Za-z][A-Za-z0-9+.-]*://`)
)

// hasUserinfo reports whether a string is or contains a URL with a user. A string that begins
// like a URL and can't be parsed counts too: the password may have a slash or a blank.
func hasUserinfo(s string) bool {
	if !strings.Contains(s, "@") || !strings.Contains(s, "://") {
		return false
	}
	if userinfoInText.MatchString(s) {
		return true
	}
	if !beginsURL.MatchString(s) {
		return false
	}
	u, err := url.Parse(strings.TrimSpace(s))
	return err != nil || u.User != nil
}
