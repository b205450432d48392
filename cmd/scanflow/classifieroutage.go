package main

import (
	"context"
	"os"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// outage is the path of a file that simulates an outage: while the file exists, a server
// exits at once, as if killed, and does not start. "" disables it.
type outage string

// outagePollInterval is the time between two checks for the file.
const outagePollInterval = 50 * time.Millisecond

func (o outage) active() bool {
	_, err := os.Stat(string(o)) // "" does not exist
	return err == nil
}

// waitUntilOver waits until the outage is over. It returns false if the context ended first.
func (o outage) waitUntilOver(ctx context.Context) bool { return o.wait(ctx, false) }

// exitWhenActive exits the process when an outage begins. It returns when the context ends.
func (o outage) exitWhenActive(ctx context.Context) {
	if o != "" && o.wait(ctx, true) {
		os.Exit(exitKilled)
	}
}

func (o outage) wait(ctx context.Context, until bool) bool {
	for o.active() != until {
		if !engine.Sleep(ctx, engine.WallClock{}, outagePollInterval) {
			return false
		}
	}
	return true
}
