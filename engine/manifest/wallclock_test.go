package manifest

import (
	"archive/zip"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// zones are all of the time zone database that Go has.
func zones(t *testing.T) (out []*time.Location) {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	require.NoError(t, err)
	files, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	require.NoError(t, err)
	defer func() { require.NoError(t, files.Close()) }()
	for _, f := range files.File {
		if strings.HasSuffix(f.Name, "/") || f.Name == "Factory" {
			continue
		}
		zone, err := time.LoadLocation(f.Name)
		require.NoError(t, err)
		out = append(out, zone)
	}
	require.Greater(t, len(out), 500)
	return out
}

// change is one of a zone's clock.
type change struct {
	at           time.Time
	from, to     time.Time // what the clock shows before and after, as if in UTC
	zone         *time.Location
	shift, least time.Duration // least is the unsigned shift
}

func naiveOf(at time.Time) time.Time {
	_, offset := at.Zone()
	return at.Add(time.Duration(offset) * time.Second).UTC()
}

// changes are those of a zone's clock between two years.
func changes(zone *time.Location, from, to int) (out []change) {
	at := time.Date(from, 1, 1, 0, 0, 0, 0, time.UTC).In(zone)
	for {
		_, end := at.ZoneBounds()
		if end.IsZero() || end.Year() > to {
			return out
		}
		_, before := at.Zone()
		at = end.In(zone)
		_, after := at.Zone()
		if before == after {
			continue // of its name only
		}
		shift := time.Duration(after-before) * time.Second
		out = append(out, change{at, naiveOf(at).Add(-shift), naiveOf(at), zone, shift, max(shift, -shift)})
	}
}

// changesOfAll are those of all zones, each once where several have the same.
func changesOfAll(t *testing.T) (out [][]change) {
	t.Helper()
	seen := map[string]bool{}
	for _, zone := range zones(t) {
		all := changes(zone, 2007, 2027)
		key := ""
		for _, c := range all {
			key += c.at.UTC().String() + c.shift.String()
		}
		if !seen[key] {
			seen[key] = true
			out = append(out, all)
		}
	}
	return out
}

func cronOf(t require.TestingT, expression string, zone *time.Location) *wallClock {
	s, err := schedule(expression, zone.String())
	require.NoError(t, err)
	return s.(*wallClock)
}

// served are the times of a daily expression, as if in UTC, that come within some days of
// a change, with how often each does.
func (c *change) served(t *testing.T, hour, minute int) map[time.Time]int {
	s := cronOf(t, fmt.Sprintf("%d %d * * *", minute, hour), c.zone)
	out := map[time.Time]int{}
	end := c.at.Add(60 * time.Hour)
	for at := s.Next(c.at.Add(-60 * time.Hour)); at.Before(end); {
		shows := naiveOf(at.In(c.zone))
		switch exact := shows.Hour() == hour && shows.Minute() == minute && shows.Second() == 0; {
		case exact:
			out[shows]++
		case at.Equal(c.at): // for what the change skips
			skipped := time.Date(c.from.Year(), c.from.Month(), c.from.Day(), hour, minute, 0, 0, time.UTC)
			if skipped.Before(c.from) {
				skipped = skipped.AddDate(0, 0, 1)
			}
			require.True(t, skipped.Before(c.to), "%s %02d:%02d comes at %s, when nothing is skipped", c.zone, hour, minute, at)
			out[skipped]++
		default:
			require.Fail(t, "comes at another time", "%s %02d:%02d: %s", c.zone, hour, minute, shows)
		}
		next := s.Next(at)
		require.True(t, next.After(at))
		at = next
	}
	return out
}

// In every zone, with any change of its clock, a daily expression fires once on each day.
func TestADailyCronComesOnceADayInEveryZone(t *testing.T) {
	t.Parallel()
	skips, repeats := 0, 0
	for _, all := range changesOfAll(t) {
		for _, c := range all {
			if c.shift > 0 {
				skips++
			} else {
				repeats++
			}
			tried := map[time.Duration]bool{}
			for _, near := range []time.Time{c.from, c.to} {
				for _, by := range []time.Duration{-c.least, -c.least / 2, -time.Minute, 0, time.Minute, c.least / 2, c.least - time.Minute} {
					of := near.Add(by).Truncate(time.Minute)
					if time := of.Sub(of.Truncate(24 * time.Hour)); tried[time] {
						continue
					} else {
						tried[time] = true
					}
					served := c.served(t, of.Hour(), of.Minute())
					for day := c.from.AddDate(0, 0, -1).Truncate(24 * time.Hour); day.Before(c.to.AddDate(0, 0, 2)); day = day.AddDate(0, 0, 1) {
						at := day.Add(time.Duration(of.Hour())*time.Hour + time.Duration(of.Minute())*time.Minute)
						want := 1
						if !c.from.After(day) && !c.to.Before(day.AddDate(0, 0, 1)) {
							want = 0 // the zone leaves out the day
						}
						if at.Before(naiveOf(c.at.Add(-36*time.Hour).In(c.zone))) || at.After(naiveOf(c.at.Add(36*time.Hour).In(c.zone))) {
							continue
						}
						require.Equal(t, want, served[at], "%s: %s, the change from %s to %s", c.zone, at.Format(time.DateTime), c.from.Format(time.DateTime), c.to.Format(time.DateTime))
					}
				}
			}
		}
	}
	require.Greater(t, skips, 1000)
	require.Greater(t, repeats, 1000)
}

// An expression for all hours follows real time, over any change.
func TestACronForAllHoursComesAsTimeGoes(t *testing.T) {
	t.Parallel()
	for _, all := range changesOfAll(t) {
		for _, c := range all {
			for expression, step := range map[string]time.Duration{"*/15 * * * *": 15 * time.Minute, "@hourly": time.Hour, "0-59/30 0-23 * * *": 30 * time.Minute} {
				if c.shift%step != 0 {
					continue // Lord Howe's half an hour: below
				}
				s := cronOf(t, expression, c.zone)
				at := s.Next(c.at.Add(-5 * time.Hour))
				for range 40 {
					next := s.Next(at)
					require.Equal(t, step, next.Sub(at), "%s, %s after %s", c.zone, expression, at)
					at = next
				}
			}
		}
	}
}

// The firings at changes that are known.
func TestCronsOverAChangeOfClocks(t *testing.T) {
	for name, c := range map[string]struct {
		expression, zone, after string
		want                    []string // in UTC
	}{
		"skipped: at the change":      {"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"03-29 01:00", "03-30 00:30", "03-31 00:30"}},
		"the end of what is skipped":  {"0 3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"03-29 01:00", "03-30 01:00"}},
		"several skipped: as one":     {"*/15 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"03-29 01:00", "03-30 00:00", "03-30 00:15"}},
		"skipped and at the change":   {"30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"03-29 01:00", "03-29 01:30", "03-30 00:30"}},
		"twice: at the first":         {"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", []string{"10-25 00:30", "10-26 01:30"}},
		"twice, every quarter":        {"*/15 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", []string{"10-25 00:00", "10-25 00:15", "10-25 00:30", "10-25 00:45", "10-26 01:00"}},
		"all hours, twice":            {"30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", []string{"10-25 00:30", "10-25 01:30", "10-25 02:30"}},
		"all hours, skipped":          {"30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", []string{"03-29 00:30", "03-29 01:30", "03-29 02:30"}},
		"half an hour skipped":        {"15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", []string{"10-03 15:30", "10-04 15:15"}},
		"half an hour twice":          {"45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", []string{"04-04 14:45", "04-05 15:15"}},
		"half an hour, all hours":     {"0 * * * *", "Australia/Lord_Howe", "2026-04-04T13:30:00Z", []string{"04-04 14:00", "04-04 15:30", "04-04 16:30"}},
		"midnight skipped":            {"0 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z", []string{"04-23 22:00", "04-24 21:00"}},
		"a day left out":              {"0 12 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z", []string{"12-29 22:00", "12-30 22:00"}},
		"every second hour, skipped":  {"0 */2 * * *", "Europe/Berlin", "2026-03-28T23:30:00Z", []string{"03-29 01:00", "03-29 02:00", "03-29 04:00"}},
		"on one day, at the change":   {"30 2 29 3 *", "Europe/Berlin", "2026-03-01T00:00:00Z", []string{"03-29 01:00", "03-29 00:30"}},
		"a start between both":        {"30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", []string{"10-26 01:30"}},
		"a start after what it skips": {"30 2 * * *", "Europe/Berlin", "2026-03-29T01:20:00Z", []string{"03-30 00:30"}},
		"no zone, no change":          {"30 2 * * *", "UTC", "2026-03-28T12:00:00Z", []string{"03-29 02:30", "03-30 02:30"}},
	} {
		t.Run(name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, c.after)
			require.NoError(t, err)
			s, err := schedule(c.expression, c.zone)
			require.NoError(t, err)
			var got []string
			for range c.want {
				at = s.Next(at)
				got = append(got, at.UTC().Format("01-02 15:04"))
			}
			require.Equal(t, c.want, got)
		})
	}
}
