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

// point is one sample of an exposition.
type point struct {
	key       string  // identifies the series: its name and labels
	histogram string  // the key without le; set for buckets
	le        float64 // upper bound of the bucket
	value     float64
	at        time.Time
	readAt    time.Time // when the page was read; set by rateWindow.add
}

// expositionSamples holds the selected samples of an exposition, and examples of similar ones
// for the error message if there are none.
type expositionSamples struct {
	points       []point
	present      bool     // for a rate: the page has samples, even if points is empty
	otherLabels  examples // label sets with the selected name that the selector does not match
	similarNames examples // names that begin with the selected one
}

// merge adds the samples of another page of the same target.
func (f *expositionSamples) merge(page expositionSamples) {
	f.points = append(f.points, page.points...)
	f.present = f.present || page.present
	f.otherLabels.merge(page.otherLabels)
	f.similarNames.merge(page.similarNames)
}

// maxUnfoldedBytes bounds the total size of the names and labels of all samples of a page. In
// protobuf, a page has the labels of a histogram once for all its buckets.
const maxUnfoldedBytes = 16 * appBodyLimit

// readExposition returns the selected samples that a scrape by Prometheus would store of a
// page at that time. It returns an error if the scrape would refuse the page, unless the
// reason is another sample, and if a selected sample has no valid value: see
// expositionReader.add.
func readExposition(kind string, body []byte, selector *sampleSelector, at time.Time) (expositionSamples, error) {
	parser, err := newExpositionParser(kind, body)
	if err != nil {
		return expositionSamples{}, err
	}
	r := &expositionReader{selector: selector, at: at, index: map[string]int{}}
	for entries := 0; ; entries++ {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return r.finish()
		}
		if err != nil {
			return expositionSamples{}, parseError(err, parser, body, entries+r.linesWithin)
		}
		if err := r.read(parser, entry); err != nil {
			return expositionSamples{}, err
		}
	}
}

// expositionReader collects the selected samples of an exposition.
type expositionReader struct {
	selector *sampleSelector
	at       time.Time
	expositionSamples
	index       map[string]int  // into points, by key
	native      map[string]bool // keys of points that come from a native histogram
	nativeOnly  bool            // buckets are selected, and the histogram has native ones
	labels      labels.Labels
	linesWithin int // line breaks within label values
	unfolded    int // bytes of names and labels so far
}

// read handles one entry. It compares the name before it parses the labels, because most
// series of a page are not selected.
func (r *expositionReader) read(p textparse.Parser, entry textparse.Entry) error {
	switch entry {
	case textparse.EntrySeries:
		series, stamp, v := p.Series()
		if err := r.unfold(series); err != nil {
			return err
		}
		if !r.named(p, series, r.selector.name) {
			r.noteSimilarName(series)
			return nil
		}
		return r.add(r.labels, stamp, v, false)
	case textparse.EntryHistogram:
		// The parser returns the classic buckets only after this call.
		series, stamp, h, float := p.Histogram()
		if err := r.unfold(series); err != nil {
			return err
		}
		if h != nil {
			return r.readNative(p, series, stamp, float64(h.Count), h.Sum)
		}
		return r.readNative(p, series, stamp, float.Count, float.Sum)
	}
	return nil
}

// readNative adds the count or the sum of a native histogram if one of them is selected. The
// histogram itself has no single value.
func (r *expositionReader) readNative(p textparse.Parser, series []byte, stamp *int64, count, sum float64) error {
	fields := map[string]float64{"_count": count, "_sum": sum}
	if value.IsStaleNaN(sum) {
		fields["_count"] = sum // a stale marker: it ends the series and has no count
	}
	for _, suffix := range []string{"", "_bucket", "_count", "_sum"} {
		name, ok := strings.CutSuffix(r.selector.name, suffix)
		if !ok || !r.named(p, series, name) {
			continue
		}
		if v, isField := fields[suffix]; isField {
			renamed := labels.NewBuilder(r.labels).Set(model.MetricNameLabel, r.selector.name).Labels()
			return r.add(renamed, stamp, v, true)
		}
		switch {
		case !r.selector.matches(r.labels):
			r.otherLabels.add(describeLabels(r.labels))
		case suffix == "":
			return fmt.Errorf("%s is a native histogram, which is no number; read %[1]s_count or %[1]s_sum", name)
		default:
			r.nativeOnly = r.selector.wantBuckets
		}
	}
	return nil
}

// unfold counts the bytes of a series, and the lines that it spans.
func (r *expositionReader) unfold(series []byte) error {
	r.linesWithin += bytes.Count(series, []byte{'\n'})
	if r.unfolded += len(series); r.unfolded > maxUnfoldedBytes {
		return fmt.Errorf("%w: its labels unfold to more than %d MiB", ErrTooLarge, maxUnfoldedBytes>>20)
	}
	return nil
}

// named reports whether the entry has that name, and sets r.labels if so.
func (r *expositionReader) named(p textparse.Parser, series []byte, name string) bool {
	inBraces := len(series) > 0 && series[0] == '{' // the quoted name is in the braces
	if !inBraces && string(nameOf(series)) != name {
		return false
	}
	p.Labels(&r.labels)
	return r.labels.Get(model.MetricNameLabel) == name
}

// noteSimilarName records a name that begins with the selected one.
func (r *expositionReader) noteSimilarName(series []byte) {
	if len(series) > len(r.selector.name) && string(series[:len(r.selector.name)]) == r.selector.name {
		r.similarNames.add(clip(string(nameOf(series))))
	}
}

// nameOf returns the part of a series before its labels. Leading blanks are part of it, as in
// Prometheus.
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

// finish checks the samples of the page as a whole.
func (r *expositionReader) finish() (expositionSamples, error) {
	if !r.selector.wantBuckets {
		return r.expositionSamples, nil
	}
	if r.nativeOnly && len(r.points) == 0 {
		return expositionSamples{}, fmt.Errorf("%s is a native histogram without classic buckets; a quantile is of classic ones", r.selector.metric)
	}
	if err := r.selector.checkBuckets(r.points); err != nil {
		return expositionSamples{}, err
	}
	return r.expositionSamples, nil
}
