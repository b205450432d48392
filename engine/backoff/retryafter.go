package backoff

import (
	"cmp"
	"math"
	"net/http"
	"strings"
	"time"
)

// RetryAfter returns the wait that a response requests by the header of RFC 9110, 10.2.3:
// seconds, or a date by the sender's clock (Date), or by the receiver's if there is no Date. It
// is 0 without the header.
func RetryAfter(h http.Header, received time.Time) time.Duration {
	written := h.Get("Retry-After")
	if written != "" && strings.Trim(written, "0123456789") == "" {
		return seconds(written)
	}
	at, err := http.ParseTime(written)
	if err != nil {
		return 0
	}
	now, _ := http.ParseTime(h.Get("Date"))
	return max(at.Sub(cmp.Or(now, received)), 0)
}

// seconds is a span of digits, the longest one where it is beyond that.
func seconds(digits string) time.Duration {
	var n int64
	for _, d := range digits {
		if n = 10*n + int64(d-'0'); n > int64(math.MaxInt64/time.Second) {
			return math.MaxInt64
		}
	}
	return time.Duration(n) * time.Second
}
