package clusterview

import (
	"strings"
	"sync"
)

// interner shares one copy of strings that many objects have in common.
type interner struct {
	mu    sync.Mutex
	known map[string]string
}

// maxInterned bounds the memory for strings that are not common after all.
const maxInterned = 1 << 15

func (n *interner) text(text string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if known, ok := n.known[text]; ok {
		return known
	}
	if n.known == nil || len(n.known) >= maxInterned {
		n.known = map[string]string{}
	}
	text = strings.Clone(text)
	n.known[text] = text
	return text
}

// pairs interns a map; an empty one becomes nil.
func (n *interner) pairs(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[n.text(k)] = n.text(v)
	}
	return out
}
