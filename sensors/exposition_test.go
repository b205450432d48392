package sensors

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// For any page, the sensor reads the same series as Prometheus' scrape stores, and refuses
// what the scrape refuses.
func TestPagesAreReadAsPrometheusReadsThem(t *testing.T) {
	pages := corpus(t)
	require.Greater(t, len(pages), 100)
	s := servePages(t, pages)
	oracle := map[string]stored{}
	var mu sync.Mutex
	var scrapes sync.WaitGroup
	turn := make(chan struct{}, oraclesAtOnce)
	for name := range pages {
		scrapes.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			got, err := scrapeByPrometheus(t, s, name)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			oracle[name] = got
		})
	}
	scrapes.Wait()
	require.Equal(t, s.accept.Load(), strings.Replace(acceptExposition, "delimited;escaping=allow-utf-8", "delimited", 1), "what Prometheus asks with")
	require.False(t, t.Failed())

	series, refused, natives := 0, 0, 0
	for name := range pages {
		t.Run(name, func(t *testing.T) {
			want := oracle[name]
			kind, body := fetch(t, s, name)
			now := time.Now()
			for _, metric := range candidates(string(body), want) {
				got, err := readExposition(kind, body, newSampleSelector(&ScrapeConfig{Metric: metric}), now)
				if want.refused {
					require.Error(t, err, "Prometheus refuses it, and %s is read", metric)
					require.Empty(t, got.points)
					continue
				}
				if err != nil && strings.Contains(err.Error(), "native histogram, which is no number") {
					require.NotEmpty(t, want.natives)
					continue
				}
				require.NoError(t, err, metric)
				require.Equal(t, storedTexts(want.named(metric), now), pointTexts(got.points), metric)
				series += len(got.points)
			}
			if want.refused {
				refused++
			}
			natives += len(want.natives)
		})
	}
	t.Logf("%d pages, %d series of them alike, %d pages refused by both, %d native histograms", len(pages), series, refused, natives)
	require.Greater(t, refused, 20)
	require.GreaterOrEqual(t, natives, 8)
}

// The signal of a metric without labels is the sum of the series that Prometheus stores.
func TestScrapeSumsWhatPrometheusHas(t *testing.T) {
	all := corpus(t)
	pages := map[string]page{}
	for name, p := range all {
		if strings.HasSuffix(name, ".prom") || strings.HasSuffix(name, ".om") || p.handler != nil {
			pages[name] = p
		}
	}
	s := servePages(t, pages)
	var wait sync.WaitGroup
	turn := make(chan struct{}, oraclesAtOnce)
	for name := range pages {
		wait.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			want, err := scrapeByPrometheus(t, s, name)
			if err != nil || want.refused {
				t.Errorf("%s: refused %v, %v", name, want.refused, err)
				return
			}
			for _, metric := range candidates("", want) {
				sum, any := 0.0, false
				for _, sample := range want.named(metric) {
					sum, any = sum+sample.value, true
				}
				sensor, err := newScrape(&ScrapeConfig{URL: s.server.URL + "/" + url.PathEscape(name), Metric: metric, Timeout: manifest.Duration{Duration: time.Minute}}, Env{})
				if err != nil {
					t.Error(err)
					return
				}
				got, err := sensor.Sample(context.Background(), time.Now(), []engine.Target{{Name: "x", Namespace: "y"}})
				switch {
				case err != nil:
					t.Errorf("%s: %s: %v", name, metric, err)
				case math.IsNaN(sum) && got[0].State == engine.NaN:
				case !any && got[0].State == engine.Empty && got[0].Problem != "":
				case !any && got[0].State == engine.Error && strings.Contains(got[0].Problem, "native histogram"):
				case any && got[0].State == engine.OK && math.Abs(got[0].Value.(float64)-sum) <= 1e-9*math.Abs(sum):
				default:
					t.Errorf("%s: %s is %+v, want %g (there: %v)", name, metric, got[0], sum, any)
				}
			}
		})
	}
	wait.Wait()
}

var nameForm = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:.]*`)

// candidates are names that a page may have samples of: those that Prometheus stores, and all
// words of the page, each also with the suffixes of metric families.
func candidates(body string, s stored) []string {
	names := map[string]bool{"absent": true}
	if len(body) < 10_000 {
		for _, word := range nameForm.FindAllString(body, -1) {
			names[word] = true
		}
	}
	for _, samples := range []map[string]storedSample{s.floats, s.natives} {
		for _, sample := range samples {
			name := sample.labels.Get("__name__")
			base := name
			for _, suffix := range []string{"_bucket", "_count", "_sum", "_total", "_created", "_info"} {
				base = strings.TrimSuffix(base, suffix)
			}
			for _, suffix := range []string{"", "_bucket", "_count", "_sum", "_total", "_created", "_info"} {
				names[base+suffix] = true
			}
			names[name] = true
		}
	}
	out := make([]string, 0, len(names))
	for name := range names {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// storedTexts formats samples for comparison: each series with its time and value.
func storedTexts(samples map[string]storedSample, now time.Time) []string {
	out := []string{}
	for _, s := range samples {
		at := s.ms
		if at == unstamped {
			at = now.UnixMilli()
		}
		out = append(out, fmt.Sprintf("%q %d %v", s.labels.Bytes(nil), at, s.value))
	}
	slices.Sort(out)
	return out
}

func pointTexts(points []point) []string {
	out := []string{}
	for _, p := range points {
		out = append(out, fmt.Sprintf("%q %d %v", p.key, p.at.UnixMilli(), p.value))
	}
	slices.Sort(out)
	return out
}
