package ledger

import (
	"encoding/json"
	"fmt"
	"math"
)

// maxNumber bounds the number of a record, so that there is always a next one.
const maxNumber = math.MaxInt64 / 2

// validate finds values that have the right types and still would break the state.
func (b *batch) validate() error {
	for i := range b.Notes {
		var value any
		if n := &b.Notes[i]; len(n.Value) > 0 {
			if err := json.Unmarshal(n.Value, &value); err != nil {
				return fmt.Errorf("the note of strategy %q on %s/%s: %w", n.Strategy, n.Target.Namespace, n.Target.Name, err)
			}
		}
	}
	for i := range b.Handled {
		switch h := &b.Handled[i]; h.Fate {
		case fateHandled, fateUnwanted, fateDead, fateWaiting:
		default:
			return fmt.Errorf("event %q of %q came to the end %q, which there is not", h.ID, h.Source, h.Fate)
		}
	}
	for _, n := range b.numbers() {
		if n < 0 || n > maxNumber {
			return fmt.Errorf("a record has the number %d, not one from 0 to %d", n, int64(maxNumber))
		}
	}
	return nil
}

// numbers returns the record numbers in a batch.
func (b *batch) numbers() []int64 {
	var out []int64
	for i := range b.Events {
		out = append(out, b.Events[i].N)
	}
	for i := range b.Reopened {
		out = append(out, b.Reopened[i].N)
	}
	for i := range b.Resent {
		out = append(out, b.Resent[i].N)
	}
	for i := range b.Approvals {
		out = append(out, b.Approvals[i].N)
	}
	for i := range b.Alerts {
		out = append(out, b.Alerts[i].N, b.Alerts[i].Turn)
	}
	for i := range b.Withdrawn {
		if was := b.Withdrawn[i].Was; was != nil {
			out = append(out, was.N)
		}
	}
	return out
}
