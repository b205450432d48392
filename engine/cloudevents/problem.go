package cloudevents

import (
	"errors"
	"fmt"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonscan"
)

// eventDepth is how deep an event may be nested as a JSON object: its data, and itself.
const eventDepth = engine.MaxDataDepth + 1

// brokenRule is what is wrong with JSON that is no event's for another reason than its
// syntax, as a mistake that begins with where: in the text of a field, or of a whole
// event, which is "". It is "" for an error of another kind.
func brokenRule(field string, err error) string {
	var found *jsonscan.Error
	if !errors.As(err, &found) {
		return ""
	}
	where, text := field+found.Path, found.Text
	switch {
	case errors.Is(err, jsonscan.ErrTooDeep): // the rest of the path would be brackets
		text = fmt.Sprintf("is nested more than %d deep", engine.MaxDataDepth)
		if end := strings.IndexAny(strings.TrimPrefix(where, "."), ".["); end > 0 {
			where = strings.TrimPrefix(where, ".")[:end]
		}
	case errors.Is(err, jsonscan.ErrRefused):
	default:
		return ""
	}
	if where = strings.TrimPrefix(where, "."); where == "" {
		where = "the event"
	}
	return where + ": " + text
}

// syntax is what is wrong with a text that is not JSON.
func syntax(err error) string { return "it " + err.Error() }
