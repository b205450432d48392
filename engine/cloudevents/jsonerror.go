package cloudevents

import (
	"errors"
	"fmt"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonscan"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// eventDepth bounds the nesting of an event as a JSON object: its data, and itself.
const eventDepth = engine.MaxDataDepth + 1

// brokenRule returns the mistake of JSON that has no syntax error but breaks a rule of
// events: in a field or, for "", in a whole event. It reports false for any other error.
func brokenRule(field string, err error) (m mistake.Mistake, broken bool) {
	var found *jsonscan.Error
	if !errors.As(err, &found) {
		return m, false
	}
	m.Path, m.Message = strings.TrimPrefix(field+found.Path, "."), found.Text
	switch {
	case errors.Is(err, jsonscan.ErrTooDeep): // the rest of the path would be brackets
		m.Message = fmt.Sprintf("is nested more than %d deep", engine.MaxDataDepth)
		if end := strings.IndexAny(m.Path, ".["); end > 0 {
			m.Path = m.Path[:end]
		}
	case errors.Is(err, jsonscan.ErrRefused):
	default:
		return m, false
	}
	return m, true
}

// syntax says what is wrong with a text that is not JSON.
func syntax(err error) string { return "it " + err.Error() }
