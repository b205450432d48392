package main

import (
	"cmp"
	"fmt"
	"os"
	"time"
)

// localLayouts are times without a zone, as the tables print them.
var localLayouts = []string{stampLayout, milliLayout, "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly}

// clockLayouts are times of a day.
var clockLayouts = []string{secondLayout, "15:04"}

// parseTime parses a time or an age before now; "" is the zero time. A time without a zone is
// one of the zone, and a time of day is the last one before now.
func parseTime(text string, now time.Time, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if age, err := time.ParseDuration(text); err == nil {
		if age < 0 {
			return time.Time{}, fmt.Errorf("%q is in the future; an age is without a sign, such as 2h", text)
		}
		return now.Add(-age), nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	for _, layout := range localLayouts {
		if wall, err := time.Parse(layout, text); err == nil {
			return inZone(wall, text, zone)
		}
	}
	for _, layout := range clockLayouts {
		if clock, err := time.Parse(layout, text); err == nil {
			y, m, d := now.In(zone).Date()
			wall := time.Date(y, m, d, clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), time.UTC)
			at, err := inZone(wall, text, zone)
			if err == nil && at.After(now) {
				at, err = inZone(wall.AddDate(0, 0, -1), text, zone)
			}
			return at, err
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a time, such as 2026-03-01T12:00:00Z, \"2026-03-01 12:00:00\" or 12:00, nor an age, such as 90s or 2h", text)
}

// inZone returns the instant at which clocks of the zone show a time. Clocks that are put forward
// skip some times, and those that are put back show some twice.
func inZone(wall time.Time, text string, zone *time.Location) (time.Time, error) {
	var found []time.Time
	for _, day := range []int{-1, 1} { // the offsets before and after a change of the clocks
		_, offset := wall.AddDate(0, 0, day).In(zone).Zone()
		at := wall.Add(-time.Duration(offset) * time.Second).In(zone)
		if at.Format(milliLayout) == wall.Format(milliLayout) && (len(found) == 0 || !found[0].Equal(at)) {
			found = append(found, at)
		}
	}
	switch len(found) {
	case 0:
		return time.Time{}, fmt.Errorf("%q does not exist in %s: clocks skip it; write a time with its offset, such as 2026-03-01T12:00:00Z", text, zoneName(zone))
	case 2:
		return time.Time{}, fmt.Errorf("%q is twice in %s: clocks are put back; write %s or %s", text, zoneName(zone), found[0].Format(time.RFC3339), found[1].Format(time.RFC3339))
	}
	return found[0], nil
}

func zoneName(zone *time.Location) string {
	if zone == time.Local {
		return cmp.Or(os.Getenv("TZ"), "this machine's zone")
	}
	return zone.String()
}
