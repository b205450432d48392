package sensors

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/model/value"
)

// point is one sample of a page.
type point struct {
	key       string  // its name and labels, to know it again
	histogram string  // the same without le, and
	le        float64 // the bound, where buckets are wanted
	value     float64
	at        time.Time
	read      time.Time // when its page was read, where it is kept
}

// findings are what a page has of what is wanted, and what it has instead.
type findings struct {
	points []point
	once   bool      // of increases: there are samples, whatever points has
	other  sightings // labels of samples of that name that are not wanted
	alike  sightings // names that begin with the one that is wanted
}

// join adds those of another page of the same target.
func (f *findings) join(page findings) {
	f.points = append(f.points, page.points...)
	f.once = f.once || page.once
	f.other.join(page.other)
	f.alike.join(page.alike)
}

// mostUnfolded bounds the names and labels of all samples of a page together, in
// bytes. A page in protobuf writes the labels of a histogram once for all its buckets.
const mostUnfolded = 16 * appBodyLimit

// readPage returns the samples that Prometheus' scrape at that moment would store of
// a page, of those that are wanted. It is an error where the scrape would refuse the
// page, except for a fault of another sample, and where a wanted sample has no value
// to rest on: see pageReader.add.
func readPage(kind string, body []byte, want *wanted, at time.Time) (findings, error) {
	parser, err := newPageParser(kind, body)
	if err != nil {
		return findings{}, err
	}
	r := &pageReader{want: want, at: at, index: map[string]int{}}
	for entries := 0; ; entries++ {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return r.finish()
		}
		if err != nil {
			return findings{}, unreadable(err, parser, body, entries+r.linesWithin)
		}
		if err := r.take(parser, entry); err != nil {
			return findings{}, err
		}
	}
}

// pageReader collects what is wanted of the entries of a page.
type pageReader struct {
	want *wanted
	at   time.Time
	findings
	index       map[string]int  // of points, by key
	native      map[string]bool // keys of points that are fields of a native histogram
	nativeOnly  bool            // buckets are wanted, and the histogram has native ones
	labels      labels.Labels
	linesWithin int // line breaks within label values
	unfolded    int // bytes of names and labels so far
}

// take looks at one entry. What a series is called is compared before its labels are
// parsed, since most series of a page are others.
func (r *pageReader) take(p textparse.Parser, entry textparse.Entry) error {
	switch entry {
	case textparse.EntrySeries:
		series, stamp, v := p.Series()
		if err := r.unfold(series); err != nil {
			return err
		}
		if !r.named(p, series, r.want.name) {
			r.sight(series)
			return nil
		}
		return r.add(r.labels, stamp, v, false)
	case textparse.EntryHistogram:
		// The parser goes on to the classic buckets only once this has been called.
		series, stamp, h, float := p.Histogram()
		if err := r.unfold(series); err != nil {
			return err
		}
		if h != nil {
			return r.takeNative(p, series, stamp, float64(h.Count), h.Sum)
		}
		return r.takeNative(p, series, stamp, float.Count, float.Sum)
	}
	return nil
}

// takeNative adds the count or the sum of a native histogram, where one of them is
// wanted. The histogram itself is no number.
func (r *pageReader) takeNative(p textparse.Parser, series []byte, stamp *int64, count, sum float64) error {
	fields := map[string]float64{"_count": count, "_sum": sum}
	if value.IsStaleNaN(sum) {
		fields["_count"] = sum // such a histogram marks the end of its series, and counts nothing
	}
	for _, suffix := range []string{"", "_bucket", "_count", "_sum"} {
		name, ok := strings.CutSuffix(r.want.name, suffix)
		if !ok || !r.named(p, series, name) {
			continue
		}
		if v, isField := fields[suffix]; isField {
			renamed := labels.NewBuilder(r.labels).Set(model.MetricNameLabel, r.want.name).Labels()
			return r.add(renamed, stamp, v, true)
		}
		switch {
		case !r.want.matches(r.labels):
			r.other.add(describeLabels(r.labels))
		case suffix == "":
			return fmt.Errorf("%s is a native histogram, which is no number; read %[1]s_count or %[1]s_sum", name)
		default:
			r.nativeOnly = r.want.buckets
		}
	}
	return nil
}

// unfold counts what a series takes, and the lines that it spans.
func (r *pageReader) unfold(series []byte) error {
	r.linesWithin += bytes.Count(series, []byte{'\n'})
	if r.unfolded += len(series); r.unfolded > mostUnfolded {
		return fmt.Errorf("%w: its labels unfold to more than %d MiB", ErrTooLarge, mostUnfolded>>20)
	}
	return nil
}

// named reports whether the entry has that name, and sets r.labels if so.
func (r *pageReader) named(p textparse.Parser, series []byte, name string) bool {
	inBraces := len(series) > 0 && series[0] == '{' // then the name is in quotes there
	if !inBraces && string(nameOf(series)) != name {
		return false
	}
	p.Labels(&r.labels)
	return r.labels.Get(model.MetricNameLabel) == name
}

// sight keeps a name that begins with the one that is wanted.
func (r *pageReader) sight(series []byte) {
	if len(series) > len(r.want.name) && string(series[:len(r.want.name)]) == r.want.name {
		r.alike.add(clip(string(nameOf(series))))
	}
}

// nameOf is what stands before the labels of a series. Blanks before it are part of
// it, as in Prometheus.
func nameOf(series []byte) []byte {
	name := bytes.TrimLeft(series, " \t")
	blanks := len(series) - len(name)
	for i, b := range name {
		switch b {
		case '{', ' ', '\t', model.SeparatorByte:
			return series[:blanks+i]
		}
	}
	return series
}

// finish looks at all points of the page together.
func (r *pageReader) finish() (findings, error) {
	if !r.want.buckets {
		return r.findings, nil
	}
	if r.nativeOnly && len(r.points) == 0 {
		return findings{}, fmt.Errorf("%s is a native histogram without classic buckets; a quantile is of classic ones", r.want.metric)
	}
	if err := r.want.complete(r.points); err != nil {
		return findings{}, err
	}
	return r.findings, nil
}
