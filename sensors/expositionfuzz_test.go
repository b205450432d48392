package sensors

import (
	"errors"
	"io"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// FuzzPage compares the reader with Prometheus' parser: the reader never panics, and it reads
// exactly the samples that the parser returns.
func FuzzPage(f *testing.F) {
	pages := corpus(f)
	s := servePages(f, pages)
	for name := range pages {
		kind, body := fetch(f, s, name)
		for _, metric := range []string{"load", "d_bucket", "native_count"} {
			f.Add(kind, body, metric)
		}
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte, metric string) {
		now := time.UnixMilli(1_800_000_000_000)
		for _, of := range []*QuantileConfig{nil, {Rank: 0.9}} {
			want := newSampleSelector(&ScrapeConfig{Metric: metric, Quantile: of})
			got, err := readExposition(kind, append([]byte{}, body...), want, now)
			if err != nil && len(got.points) > 0 {
				t.Fatalf("samples beside an error: %v", err)
			}
			there, parsed := parsed(kind, body, want.name, now)
			if !parsed && err == nil {
				t.Fatal("the parser refuses the page, and it is read")
			}
			if err == nil && len(got.points) != len(there) {
				t.Fatalf("%d samples are read, the parser yields %d", len(got.points), len(there))
			}
			for _, p := range got.points {
				s, ok := there[p.key]
				if !ok || s.at != p.at || s.value != p.value && !(math.IsNaN(s.value) && math.IsNaN(p.value)) {
					t.Fatalf("%q is read as %v at %v, the parser yields %+v", p.key, p.value, p.at, s)
				}
			}
			if of != nil && len(got.points) > 0 {
				if v, ok := histogramQuantile(0.9, got.points); ok && math.IsInf(v, 1) {
					t.Fatal("the quantile is above all buckets")
				}
			}
		}
	})
}

// parsed returns the samples of a name from Prometheus' parser by their labels, and whether
// the parser accepts the page.
func parsed(kind string, body []byte, name string, now time.Time) (map[string]point, bool) {
	if kind == "" {
		kind = textFormat
	}
	parser, err := textparse.New(append([]byte{}, body...), kind, nil, textparse.ParserOptions{KeepClassicOnClassicAndNativeHistograms: true})
	if err != nil || checkProtobuf(body) != nil && kindOf(parser) == protobufFormat {
		return nil, false
	}
	classic, native := map[string]point{}, map[string]point{}
	keep := func(in map[string]point, l labels.Labels, name string, stamp *int64, v float64) {
		key := string(labels.NewBuilder(l).Set("__name__", name).Labels().Bytes(nil))
		at := now
		if stamp != nil {
			at = time.UnixMilli(*stamp)
		}
		if before, again := in[key]; !again || stamp != nil && at.After(before.at) {
			in[key] = point{value: v, at: at}
		}
	}
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, false
		}
		var l labels.Labels
		switch entry {
		case textparse.EntrySeries:
			_, stamp, v := parser.Series()
			if parser.Labels(&l); l.Get("__name__") == name {
				keep(classic, l, name, stamp, v)
			}
		case textparse.EntryHistogram:
			_, stamp, h, fh := parser.Histogram()
			if h != nil {
				fh = h.ToFloat(nil)
			}
			switch parser.Labels(&l); name {
			case l.Get("__name__") + "_count":
				keep(native, l, name, stamp, fh.Count)
			case l.Get("__name__") + "_sum":
				keep(native, l, name, stamp, fh.Sum)
			}
		}
	}
	for key, p := range native {
		if _, both := classic[key]; !both {
			classic[key] = p
		}
	}
	return classic, true
}

func kindOf(parser textparse.Parser) string {
	if _, is := parser.(*textparse.ProtobufParser); is {
		return protobufFormat
	}
	return textFormat
}
