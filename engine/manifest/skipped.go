package manifest

import (
	"fmt"
	"slices"
	"strings"
)

// Skipped counts objects by kind.
type Skipped map[string]int

func (s Skipped) add(other Skipped) {
	for kind, n := range other {
		s[kind] += n
	}
}

// maxSkippedShown bounds the kinds that a message lists.
const maxSkippedShown = 20

// String is "1 ConfigMap, 2 Deployment".
func (s Skipped) String() string {
	kinds := sortedKeys(s)
	more := ""
	if len(kinds) > maxSkippedShown {
		more = fmt.Sprintf(", and %d kinds more", len(kinds)-maxSkippedShown)
		kinds = kinds[:maxSkippedShown]
	}
	parts := slices.Clone(kinds)
	for i, kind := range kinds {
		parts[i] = fmt.Sprintf("%d %s", s[kind], kind)
	}
	return strings.Join(parts, ", ") + more
}

// Total counts all of them.
func (s Skipped) Total() int {
	n := 0
	for _, one := range s {
		n += one
	}
	return n
}
