package engine

import "errors"

// ErrNotPlanned is the error of a plan that a preview can't make: what the verb acts on is not
// there to look at. It refuses nothing.
var ErrNotPlanned = errors.New("not planned here")
