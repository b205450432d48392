package cloudevents

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonscan"
)

// readBatch reads an array of events. It checks each element before it decodes it, and stops at
// the first that is not JSON or breaks a rule.
func readBatch(body []byte, most int, now time.Time) ([]engine.Event, error) {
	if !utf8.Valid(body) {
		return nil, Mistakes{"the body is not UTF-8"}
	}
	if !strings.HasPrefix(strings.TrimLeft(string(body[:min(len(body), 100)]), " \t\r\n"), "[") {
		return nil, Mistakes{"the body is not a JSON array of events"}
	}
	events := []engine.Event{}
	var mistakes findings
	begun := 0
	err := jsonscan.Each(body, jsonscan.Limits{Values: MaxRequestValues, Depth: eventDepth}, func(n int, element []byte, values int) error {
		begun = n + 1
		if begun > most {
			return fmt.Errorf("%w: the batch has more than %d events", ErrTooLarge, most)
		}
		name := fmt.Sprintf("event %d", begun)
		if values > engine.MaxEventValues {
			return fmt.Errorf("%w: %s has more than %d JSON values", ErrTooLarge, name, engine.MaxEventValues)
		}
		e, found, err := readObject(element, now)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		mistakes.join(name, found)
		events = append(events, e)
		return nil
	})
	if err != nil {
		return nil, mistakes.ofBatch(err, begun)
	}
	if err := mistakes.err(); err != nil {
		return nil, err
	}
	return events, nil
}

// ofBatch returns the error of a batch that could not be read after that many events.
func (f *findings) ofBatch(err error, read int) error {
	var found *jsonscan.Error
	if !errors.As(err, &found) || errors.Is(err, ErrTooLarge) {
		return err
	}
	step := fmt.Sprintf("[%d]", read)
	path, within := strings.CutPrefix(found.Path, step)
	found.Path = path
	name := fmt.Sprintf("event %d: ", read+1)
	switch rule := brokenRule("", found); {
	case errors.Is(err, jsonscan.ErrTooMany):
		return fmt.Errorf("%w: the batch %w", ErrTooLarge, err)
	case rule != "":
		f.add(name + strings.TrimPrefix(rule, "the event: "))
	case errors.Is(err, jsonscan.ErrMore):
		f.add("more follows after the array")
	case within:
		f.add(name + "is not JSON: " + syntax(err))
	case errors.Is(err, jsonscan.ErrCutShort):
		f.add("the body is cut short: the array has no end")
	default:
		f.add("the body is not JSON: " + syntax(err))
	}
	return f.err()
}
