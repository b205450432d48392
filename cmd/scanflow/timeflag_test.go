package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A time is given as the tables print it, in their zone; one that clocks skip or show twice is
// refused with what to write.
func TestTimesOfFlags(t *testing.T) {
	t.Parallel()
	madrid, err := time.LoadLocation("Europe/Madrid")
	require.NoError(t, err)
	now := time.Date(2026, 11, 30, 21, 30, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"2026-11-30T21:00:00Z":      "2026-11-30T21:00:00Z",
		"2026-11-30T22:00:00+01:00": "2026-11-30T21:00:00Z",
		"90s":                       "2026-11-30T21:28:30Z",
		"0s":                        "2026-11-30T21:30:00Z",
		"2026-11-30 22:00:00":       "2026-11-30T21:00:00Z",
		"2026-11-30T22:00:00":       "2026-11-30T21:00:00Z",
		"2026-11-30 22:00:00.250":   "2026-11-30T21:00:00.25Z",
		"2026-11-30 22:00":          "2026-11-30T21:00:00Z",
		"2026-11-30":                "2026-11-29T23:00:00Z",
		"2026-07-01 12:00":          "2026-07-01T10:00:00Z",
		"22:30:00":                  "2026-11-30T21:30:00Z",
		"22:30:01":                  "2026-11-29T21:30:01Z",
		"03:00":                     "2026-11-30T02:00:00Z",
		"2026-03-29 01:59:59":       "2026-03-29T00:59:59Z",
		"2026-03-29 03:00:00":       "2026-03-29T01:00:00Z",
		"2026-10-25 01:59:59":       "2026-10-24T23:59:59Z",
		"2026-10-25 03:00:00":       "2026-10-25T02:00:00Z",
	} {
		at, err := parseTime(text, now, madrid)
		require.NoError(t, err, text)
		require.Equal(t, want, at.UTC().Format(time.RFC3339Nano), text)
	}
	for text, want := range map[string]string{
		"2026-10-25 02:30:00": `is twice in Europe/Madrid: clocks are put back; write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00`,
		"2026-03-29 02:30:00": `does not exist in Europe/Madrid: clocks skip it; write a time with its offset`,
		"-5m":                 `is in the future; an age is without a sign, such as 2h`,
		"yesterday":           `is neither a time, such as `,
		"25:00":               `is neither a time, such as `,
		"1d":                  `nor an age, such as 90s or 2h`,
	} {
		_, err := parseTime(text, now, madrid)
		require.ErrorContains(t, err, want, text)
	}
	at, err := parseTime("", now, madrid)
	require.NoError(t, err)
	require.Zero(t, at)
	for _, zone := range []string{"Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia"} {
		loc, err := time.LoadLocation(zone)
		require.NoError(t, err)
		for at := now.AddDate(-1, 0, 0); at.Before(now); at = at.Add(7 * time.Hour) {
			got, err := parseTime(at.In(loc).Format(stampLayout), now, loc)
			if err == nil {
				require.True(t, got.Equal(at), "%s in %s: %s", at, zone, got)
			} else {
				require.ErrorContains(t, err, "is twice in ")
			}
		}
	}
}
