package demo

import "github.com/scanflow-k8s/scanflow/engine"

// actWatch passes on the acts that ended.
type actWatch struct{ acts chan engine.Act }

// Fired is nothing that it looks at.
func (w *actWatch) Fired(engine.FiringRecord) {}

// Acted passes an act on, unless nobody has looked for a long time.
func (w *actWatch) Acted(a engine.Act) {
	select {
	case w.acts <- a:
	default:
	}
}
