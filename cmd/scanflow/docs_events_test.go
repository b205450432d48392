package main

import "testing"

func TestEventsPage(t *testing.T) {
	t.Parallel()
	s := newSession(t, "docs/events.md", "## Two agents", "| box | what is in it")
	s.addresses("8282", "8283")
	s.all()
}

func TestApprovalsPage(t *testing.T) {
	t.Parallel()
	s := newSession(t, "docs/approvals.md", "## Try it", "## What becomes of a question")
	s.addresses("8282")
	s.all()
}
