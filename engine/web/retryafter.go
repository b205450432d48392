package web

import (
	"net/http"
	"strconv"
	"time"
)

// RetryAfter is how long an answer asks to wait, by its header of RFC 9110, 10.2.3:
// seconds, or a date, by the clock of who wrote it. It is 0 where it does not say.
func RetryAfter(h http.Header) time.Duration {
	written := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(written, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(written)
	now, nowErr := http.ParseTime(h.Get("Date"))
	if err != nil || nowErr != nil {
		return 0
	}
	return max(at.Sub(now), 0)
}
