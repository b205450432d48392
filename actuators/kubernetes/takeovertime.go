package kubernetes

import (
	"fmt"
	"time"
)

// maxClockDifference is how far the clock of the person who annotates an object may be ahead of ours.
const maxClockDifference = time.Minute

// takeOverTime reads the value of the TakeOverAnnotation. It is zero where there is none, and
// where the value counts for nothing: problem says why. A time in the future would hand over
// every write until then, and so take over from people for as long.
func takeOverTime(value string, now time.Time) (at time.Time, problem string) {
	if value == "" {
		return time.Time{}, ""
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		what := "is no time (RFC 3339)"
		if _, err := time.Parse("2006-01-02T15:04:05", value); err == nil {
			what = "has no time zone"
		}
		return time.Time{}, fmt.Sprintf("the annotation %s is %q, which %s", TakeOverAnnotation, value, what)
	}
	if at.Sub(now) > maxClockDifference {
		return time.Time{}, fmt.Sprintf("the annotation %s is %q, which is in the future (it is %s here)", TakeOverAnnotation, value, now.UTC().Format(time.RFC3339))
	}
	return at, ""
}
