package engine

import (
	"errors"
	"slices"
)

// RightError is the error of a request that needs a right which this process lacks.
type RightError interface {
	error
	// MissingRight identifies the right: two errors with equal texts lack the same one.
	MissingRight() string
}

// MissingRight returns the RightError in the chain of an error, nil if there is none.
func MissingRight(err error) RightError {
	var lacks RightError
	if errors.As(err, &lacks) {
		return lacks
	}
	return nil
}

// AddMissingRight adds the right that an error lacks to a list, unless the list has it.
func AddMissingRight(list []RightError, err error) []RightError {
	lacks := MissingRight(err)
	if lacks == nil || slices.ContainsFunc(list, func(o RightError) bool { return o.MissingRight() == lacks.MissingRight() }) {
		return list
	}
	return append(list, lacks)
}
