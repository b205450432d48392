package sensors

import (
	"compress/gzip"
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	commonmodel "github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
	promscrape "github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/stretchr/testify/require"
)

// page is the response of an application.
type page struct {
	kind    string // its Content-Type; "" sends none
	body    string
	zip     bool
	handler http.Handler // instead of all that
	classic bool         // the oracle asks for no native histograms
}

// served serves pages from a real server.
type served struct {
	pages  map[string]page
	server *httptest.Server
	accept atomic.Value // the last one asked with
}

func servePages(t testing.TB, pages map[string]page) *served {
	s := &served{pages: pages}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	return s
}

func (s *served) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, ok := s.pages[strings.TrimPrefix(r.URL.Path, "/")]
	if !p.classic { // of these the oracle asks for no protobuf
		s.accept.Store(r.Header.Get("Accept"))
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	if p.handler != nil {
		p.handler.ServeHTTP(w, r)
		return
	}
	w.Header()["Content-Type"] = nil // or the server guesses one
	if p.kind != "" {
		w.Header().Set("Content-Type", p.kind)
	}
	if p.zip {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write([]byte(p.body))
		_ = z.Close()
		return
	}
	_, _ = w.Write([]byte(p.body))
}

// stored holds the samples that Prometheus' scrape of a page wrote to its database.
type stored struct {
	refused bool
	late    bool                    // the scrape ran out of time
	floats  map[string]storedSample // by the text of the labels
	natives map[string]storedSample // the histograms', with the counts and sums that they hold
}

type storedSample struct {
	labels     labels.Labels
	value      float64
	count, sum float64
	ms         int64 // unstamped where the page does not say
}

// unstamped is the time of a sample without a timestamp of its own.
const unstamped = math.MinInt64

// ownLabel is the value that the scrape adds if a page has no label instance or job.
const ownLabel = "(the oracle's)"

// oraclesAtOnce bounds the concurrent scrapes.
const oraclesAtOnce = 8

// scrapeByPrometheus scrapes the page with a new Prometheus, and again if the machine was too
// busy to respond in time.
func scrapeByPrometheus(t testing.TB, s *served, name string) (stored, error) {
	for {
		out, err := scrapeOnce(t, s, name)
		if err != nil || !out.late {
			return out, err
		}
	}
}

func scrapeOnce(t testing.TB, s *served, name string) (stored, error) {
	log := slog.New(slog.DiscardHandler)
	opts := tsdb.DefaultOptions()
	opts.StripeSize = 1 << 8
	opts.HeadChunksWriteBufferSize = 64 << 10
	db, err := tsdb.Open(t.TempDir(), log, prometheus.NewRegistry(), opts, nil)
	if err != nil {
		return stored{}, err
	}
	defer func() { _ = db.Close() }()
	manager, err := promscrape.NewManager(&promscrape.Options{DiscoveryReloadInterval: commonmodel.Duration(20 * time.Millisecond)}, log, nil, nil, db, prometheus.NewRegistry())
	if err != nil {
		return stored{}, err
	}
	fallback := ""
	if s.pages[name].kind == "" {
		fallback = "\n  fallback_scrape_protocol: PrometheusText0.0.4"
	}
	cfg, err := config.Load(fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- job_name: %q
  metrics_path: %q
  honor_labels: true
  scrape_native_histograms: %t
  always_scrape_classic_histograms: true%s
`, ownLabel, "/"+name, !s.pages[name].classic, fallback), log)
	if err == nil {
		err = manager.ApplyConfig(cfg)
	}
	if err != nil {
		return stored{}, err
	}
	targets := make(chan map[string][]*targetgroup.Group)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = manager.Run(targets)
	}()
	defer func() {
		manager.Stop()
		<-ended
	}()
	address := strings.TrimPrefix(s.server.URL, "http://")
	targets <- map[string][]*targetgroup.Group{ownLabel: {{Source: "s", Targets: []commonmodel.LabelSet{{
		commonmodel.AddressLabel: commonmodel.LabelValue(address), "instance": ownLabel,
	}}}}}
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		out, scraped, err := readStored(db)
		if scraped || err != nil {
			return out, err
		}
		select {
		case <-look.C:
		case <-t.Context().Done():
			return out, fmt.Errorf("page %s was not scraped before the test ended", name)
		}
	}
}

func readStored(db *tsdb.DB) (out stored, scraped bool, err error) {
	out = stored{floats: map[string]storedSample{}, natives: map[string]storedSample{}}
	q, err := db.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		return out, false, err
	}
	defer func() { _ = q.Close() }()
	scrapes := map[int64]bool{} // when, by what the scrape says of itself
	var took float64            // the last one, in seconds
	set := q.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchRegexp, "__name__", ".*"))
	for set.Next() {
		series := set.At()
		b := labels.NewBuilder(series.Labels())
		own := 0
		for _, name := range []string{"instance", "job"} {
			if b.Get(name) == ownLabel {
				b.Del(name)
				own++
			}
		}
		l := b.Labels()
		sample := storedSample{labels: l}
		native := false
		it := series.Iterator(nil)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			if kind == chunkenc.ValFloat {
				sample.ms, sample.value = it.At()
			} else {
				ms, h := it.AtFloatHistogram(nil)
				sample.ms, sample.count, sample.sum, native = ms, h.Count, h.Sum, true
			}
			if own < 2 || l.Len() > 1 {
				continue
			}
			switch l.Get("__name__") {
			case "up":
				scraped = true
				scrapes[sample.ms] = true
				out.refused = sample.value == 0
			case "scrape_duration_seconds":
				took = sample.value
			}
		}
		if err := it.Err(); err != nil {
			return out, false, err
		}
		if name := l.Get("__name__"); own == 2 && l.Len() == 1 && (name == "up" || strings.HasPrefix(name, "scrape_")) {
			continue
		}
		if native {
			out.natives[l.String()] = sample
		} else {
			out.floats[l.String()] = sample
		}
	}
	for _, samples := range []map[string]storedSample{out.floats, out.natives} {
		for key, sample := range samples {
			if scrapes[sample.ms] {
				sample.ms = unstamped
				samples[key] = sample
			}
		}
	}
	out.late = out.refused && took > 0.9
	return out, scraped, set.Err()
}

// named returns the samples that a sensor may read under a name: those with that name, and the
// count or the sum of a native histogram if there is no classic one.
func (s stored) named(name string) map[string]storedSample {
	out := map[string]storedSample{}
	for suffix, field := range map[string]func(storedSample) float64{
		"_count": func(h storedSample) float64 { return h.count },
		"_sum":   func(h storedSample) float64 { return h.sum },
	} {
		for _, h := range s.natives {
			if h.labels.Get("__name__")+suffix == name {
				h.value = field(h)
				h.labels = labels.NewBuilder(h.labels).Set("__name__", name).Labels()
				out[h.labels.String()] = h
			}
		}
	}
	for key, sample := range s.floats {
		if sample.labels.Get("__name__") == name {
			out[key] = sample
		}
	}
	return out
}

// fetch returns a page as the sensor receives it.
func fetch(t testing.TB, s *served, name string) (kind string, body []byte) {
	t.Helper()
	built, err := newScrape(&ScrapeConfig{URL: s.server.URL + "/" + name, Metric: "any"}, Env{})
	require.NoError(t, err)
	kind, body, err = built.(*scrape).client.get(context.Background(), s.server.URL+"/"+name, acceptExposition)
	require.NoError(t, err)
	return kind, body
}
