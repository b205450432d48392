package cloudevents

import (
	"errors"
	"fmt"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonscan"
)

// eventDepth bounds the nesting of an event as a JSON object: that of its data, and one more.
const eventDepth = engine.MaxDataDepth + 1

// brokenRule returns the mistake of JSON that is nested too deep or holds something that an
// event may not, with its path below field ("" for the whole event). It returns "" for an
// error of another kind.
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

// syntax returns the mistake in a text that is not JSON.
func syntax(err error) string { return "it " + err.Error() }
