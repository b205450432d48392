package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/spelling"
)

// metadataKeys are the keys of METADATA. OPA's parser ignores any other.
var metadataKeys = []string{"scope", "title", "entrypoint", "description", "organizations", "related_resources", "authors", "schemas", "compile", "custom", "labels"}

var (
	topLevelKey  = regexp.MustCompile(`^ ?([A-Za-z_]+):`)
	customInText = regexp.MustCompile(`^\s*custom:\s*(\{\s*(agents|verbs|states)\b.*)?$`)
	scopeInText  = regexp.MustCompile(`^\s+(agents|verbs|states):`)
)

// misspeltMetadata finds comments of a guard's file that are meant as METADATA and are none,
// or in part: the guard would bind more than its author means.
func misspeltMetadata(m *ast.Module) mistake.Mistakes {
	var out mistake.Mistakes
	for _, block := range commentBlocks(m.Comments) {
		header := slices.IndexFunc(block, func(c *ast.Comment) bool { return strings.HasPrefix(strings.TrimSpace(string(c.Text)), "METADATA") })
		if header < 0 {
			out = append(out, headerless(block)...)
			continue
		}
		for _, c := range block[header+1:] {
			found := topLevelKey.FindSubmatch(c.Text)
			if found == nil || slices.Contains(metadataKeys, string(found[1])) {
				continue
			}
			key := string(found[1])
			if slices.Contains(scopeKeys, key) || key == "states" || misspeltScopeKeys[key] != "" {
				out = append(out, at(c.Location, fmt.Sprintf("METADATA has %s, which has no effect", key), fmt.Sprintf("write it below custom, as `custom: {%s: [...]}`", scopeKey(key))))
				continue
			}
			if near := spelling.Closest(key, metadataKeys); near != "" {
				out = append(out, at(c.Location, fmt.Sprintf("METADATA has %s, which has no effect", key), "did you mean "+near+"?"))
			}
		}
	}
	return out
}

// headerless returns the mistake of a block of comments that has a scope and no line METADATA.
func headerless(block []*ast.Comment) mistake.Mistakes {
	for _, c := range block {
		text := strings.TrimSuffix(strings.TrimSpace(string(c.Text)), ":")
		if strings.EqualFold(text, "METADATA") {
			return mistake.Mistakes{at(c.Location, fmt.Sprintf("the comment %q is no METADATA, and what follows has no effect", "# "+text), "write # METADATA in capitals")}
		}
	}
	for i, c := range block {
		if !customInText.Match(c.Text) {
			continue
		}
		below := i+1 < len(block) && scopeInText.Match(block[i+1].Text)
		if below || strings.Contains(string(c.Text), "{") {
			return mistake.Mistakes{at(c.Location, "custom in a comment without METADATA has no effect", "write the line # METADATA above it")}
		}
	}
	return nil
}

// commentBlocks groups comments on consecutive lines.
func commentBlocks(comments []*ast.Comment) [][]*ast.Comment {
	var out [][]*ast.Comment
	for _, c := range comments {
		if n := len(out); n > 0 {
			last := out[n-1][len(out[n-1])-1]
			if c.Location.Row == last.Location.Row+1 && c.Location.Col == last.Location.Col {
				out[n-1] = append(out[n-1], c)
				continue
			}
		}
		out = append(out, []*ast.Comment{c})
	}
	return out
}

// scopeKey returns the key of a scope that a key in `custom` is or was meant to be; "" if it
// resembles none.
func scopeKey(key string) string {
	if slices.Contains(scopeKeys, key) || key == "states" {
		return key
	}
	if meant := misspeltScopeKeys[key]; meant != "" {
		return meant
	}
	for _, known := range []string{"agents", "verbs", "states"} {
		if key != "status" && spelling.Similar(key, known, 1) {
			return known
		}
	}
	return ""
}
