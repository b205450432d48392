package main

import (
	"context"
	"os"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// outage is a drill: while its file is there, a server ends at once, as if it were
// killed, and does not come up. "" is none.
type outage string

// outageLook is how often the file is looked for.
const outagePollInterval = 50 * time.Millisecond

// killedStatus is the exit status of a program that SIGKILL ended, as shells have it.
const killedStatus = 137

func (o outage) active() bool {
	if o == "" {
		return false
	}
	_, err := os.Stat(string(o))
	return err == nil
}

// over waits until there is no outage, and reports whether that came before the context
// ended.
func (o outage) waitUntilOver(ctx context.Context) bool { return o.wait(ctx, false) }

// strike ends the process as soon as there is an outage, until the context ends.
func (o outage) exitWhenActive(ctx context.Context) {
	if o != "" && o.wait(ctx, true) {
		os.Exit(killedStatus)
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
