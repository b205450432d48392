package workflow

import (
	"encoding/json"
	"fmt"
)

// Text is a value that may be written as text, a number, true or false: Argo takes
// either for a parameter, and hands all of them on as text.
type Text string

// UnmarshalJSON takes a scalar.
func (t *Text) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		*t = Text(text)
		return nil
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return err
	}
	switch value.(type) {
	case float64, bool:
		*t = Text(raw) // as it was written
		return nil
	}
	return fmt.Errorf("%s must be text, a number, true or false", raw)
}
