package cloudevents

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonscan"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// readBatch reads an array of events. It checks each element before it decodes it, and stops at
// the first that is not JSON or breaks a rule.
func readBatch(body []byte, most int, now time.Time) ([]engine.Event, error) {
	if !utf8.Valid(body) {
		return nil, mistake.Mistakes{{Message: "the body is not UTF-8"}}
	}
	if !strings.HasPrefix(strings.TrimLeft(string(body[:min(len(body), 100)]), " \t\r\n"), "[") {
		return nil, mistake.Mistakes{{Message: "the body is not a JSON array of events"}}
	}
	events := []engine.Event{}
	var mistakes mistake.Collector
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
		mistakes.AddAll(name, found)
		events = append(events, e)
		return nil
	})
	if err != nil {
		return nil, unreadBatch(&mistakes, err, begun)
	}
	if err := mistakes.Err(); err != nil {
		return nil, err
	}
	return events, nil
}

// unreadBatch is the error of a batch that could not be read to its end, after so many
// events with mistakes.
func unreadBatch(mistakes *mistake.Collector, err error, read int) error {
	var found *jsonscan.Error
	if !errors.As(err, &found) || errors.Is(err, ErrTooLarge) {
		return err
	}
	path, within := strings.CutPrefix(found.Path, fmt.Sprintf("[%d]", read))
	found.Path = path
	m, broken := brokenRule("", found)
	switch {
	case errors.Is(err, jsonscan.ErrTooMany):
		return fmt.Errorf("%w: the batch %w", ErrTooLarge, err)
	case broken:
		m.Object = fmt.Sprintf("event %d", read+1)
	case errors.Is(err, jsonscan.ErrMore):
		m = mistake.Mistake{Message: "more follows after the array"}
	case within:
		m = mistake.Mistake{Object: fmt.Sprintf("event %d", read+1), Message: "is not JSON: " + syntax(err)}
	case errors.Is(err, jsonscan.ErrCutShort):
		m = mistake.Mistake{Message: "the body is cut short: the array has no end"}
	default:
		m = mistake.Mistake{Message: "the body is not JSON: " + syntax(err)}
	}
	mistakes.Add(m)
	return mistakes.Err()
}
