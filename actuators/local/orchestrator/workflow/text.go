package workflow

import (
	"encoding/json"
	"fmt"
)

// Text is a string that may be written as a JSON string, number or boolean, as Argo accepts
// it for the value of a parameter.
type Text string

// UnmarshalJSON accepts any scalar.
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
