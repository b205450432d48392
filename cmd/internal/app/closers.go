package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// The time that each part has to close. Together they stay below the 15 s within which
// the process promises to end.
const (
	agentsGrace     = 6 * time.Second
	watchesDeadline = 2 * time.Second
	localDeadline   = 2 * time.Second
	journalDeadline = 2 * time.Second

	// A cluster has more parts: closing the ledger and giving up the lease take time of
	// the term. An act that is cut off there was a short request, and the next leader
	// verifies it.
	clusterGrace    = 4 * time.Second
	termDeadline    = 9 * time.Second
	reportsDeadline = 2 * time.Second
	viewDeadline    = 500 * time.Millisecond
)

// closers is a stack of functions that close what was opened or started.
type closers []func(context.Context) error

func (c *closers) push(f func(context.Context) error) { *c = append(*c, f) }

// close calls the functions in reverse order, and empties the stack.
func (c *closers) close(ctx context.Context) error {
	var errs []error
	for _, f := range slices.Backward(*c) {
		errs = append(errs, f(ctx))
	}
	*c = nil
	return errors.Join(errs...)
}

// background runs tasks until the App is stopped, which waits for them up to a deadline.
// Before it cancels them, it keeps the manager from starting agents, which a reload that
// is under way would do.
func (a *App) background(ctx context.Context, deadline time.Duration, tasks ...func(context.Context)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	for _, task := range tasks {
		running.Go(func() { task(ctx) })
	}
	a.closers.push(func(context.Context) error {
		if manager := a.lead.Manager(); manager != nil {
			manager.BeginClose()
		}
		cancel()
		return Within(deadline, "what watches for changes", func() error { running.Wait(); return nil })
	})
}

// Within waits up to d for a call that takes no context: a stuck disk or a compiler must
// not keep the process from ending. The call goes on if it takes longer.
func Within(d time.Duration, what string, call func() error) error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
		return fmt.Errorf("did not end within %s: %s", d, what)
	}
}
