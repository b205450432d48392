package backoff

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRetryAfter(t *testing.T) {
	const date = "Wed, 21 Oct 2026 07:28:00 GMT"
	received := time.Date(2026, 10, 21, 7, 27, 0, 0, time.UTC)
	for _, c := range []struct {
		says, date string
		want       time.Duration
	}{
		{"", "", 0},
		{"0", "", 0},
		{"120", "", 2 * time.Minute},
		{"4294967296", "", 4294967296 * time.Second},
		{"9223372036854775808", "", math.MaxInt64},
		{"99999999999999999999999999", "", math.MaxInt64},
		{"-5", "", 0},
		{"+5", "", 0},
		{"2.5", "", 0},
		{"1e3", "", 0},
		{"soon", "", 0},
		{date, "", time.Minute},
		{date, "garbage", time.Minute},
		{date, "Wed, 21 Oct 2026 07:27:30 GMT", 30 * time.Second},
		{date, "Wed, 21 Oct 2026 07:29:00 GMT", 0},
		{"Wed, 21 Oct 1999 07:28:00 GMT", "", 0},
		{"Wednesday, 21-Oct-26 07:28:00 GMT", "", time.Minute},
	} {
		h := http.Header{}
		h.Set("Retry-After", c.says)
		if c.date != "" {
			h.Set("Date", c.date)
		}
		require.Equal(t, c.want, RetryAfter(h, received), "%q at %q", c.says, c.date)
	}
}
