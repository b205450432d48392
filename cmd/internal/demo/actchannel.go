package demo

import "github.com/scanflow-k8s/scanflow/engine"

// actChannel is an observer that sends the acts that ended to a channel.
type actChannel struct{ acts chan engine.Act }

// Fired ignores firings.
func (w *actChannel) Fired(engine.FiringRecord) {}

// Acted sends an act, unless the channel is full.
func (w *actChannel) Acted(a engine.Act) {
	select {
	case w.acts <- a:
	default:
	}
}
