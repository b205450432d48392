package main

import "testing"

func TestMemoryPage(t *testing.T) {
	t.Parallel()
	newSession(t, "docs/memory.md", "## Three looks in a row", "## The rule `remember`").all()
}
