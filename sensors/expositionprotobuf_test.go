package sensors

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/scanflow-k8s/scanflow/engine"
)

const protobufKind = protobufFormat + "; proto=io.prometheus.client.MetricFamily; encoding=delimited"

// inProtobuf encodes a page with these families.
func inProtobuf(t testing.TB, families ...*dto.MetricFamily) page {
	t.Helper()
	var body bytes.Buffer
	for _, f := range families {
		_, err := protodelim.MarshalTo(&body, f)
		require.NoError(t, err)
	}
	return page{kind: protobufKind, body: body.String()}
}

func histogramFamily(name string, metrics ...*dto.Metric) *dto.MetricFamily {
	return &dto.MetricFamily{Name: &name, Type: dto.MetricType_HISTOGRAM.Enum(), Metric: metrics}
}

// nativeOf is a native histogram in which every other bucket is empty.
func nativeOf(buckets int) *dto.Metric {
	h := &dto.Histogram{SampleCount: proto.Uint64(7), SampleSum: proto.Float64(3.5), Schema: proto.Int32(3)}
	h.PositiveSpan = []*dto.BucketSpan{{Offset: proto.Int32(0), Length: proto.Uint32(uint32(buckets))}}
	for i := range buckets {
		h.PositiveDelta = append(h.PositiveDelta, int64(1-2*(i%2)))
	}
	return &dto.Metric{Histogram: h}
}

// emptyParts is a page of one histogram with a number of empty buckets.
func emptyParts(buckets int) string {
	h := bytes.Repeat([]byte{3<<3 | 2, 0}, buckets)
	metric := protowire.AppendBytes(protowire.AppendTag(nil, 7, protowire.BytesType), h)
	family := protowire.AppendBytes(protowire.AppendTag([]byte("\x0a\x01h\x18\x04"), 4, protowire.BytesType), metric)
	return string(protowire.AppendBytes(nil, family))
}

// A page can be constructed to take its reader far more than its size. It is refused before
// that happens.
func TestProtobufPageIsBounded(t *testing.T) {
	label := strings.Repeat("x", 1<<20)
	classic := &dto.Histogram{SampleCount: proto.Uint64(1)}
	for i := range 1000 {
		classic.Bucket = append(classic.Bucket, &dto.Bucket{UpperBound: proto.Float64(float64(i)), CumulativeCount: proto.Uint64(1)})
	}
	many := &dto.Metric{}
	for name, c := range map[string]struct {
		page
		want string
	}{
		"empty families":   {page{kind: protobufKind, body: strings.Repeat("\x00", 4<<20)}, "more than 100000 metric families"},
		"labels unfold":    {inProtobuf(t, histogramFamily("h", &dto.Metric{Histogram: classic, Label: []*dto.LabelPair{{Name: proto.String("a"), Value: &label}}})), "its labels unfold to more than 128 MiB"},
		"classic buckets":  {page{kind: protobufKind, body: emptyParts(1 << 20)}, "a histogram or summary has more than 10000 buckets, quantiles and exemplars"},
		"native buckets":   {inProtobuf(t, histogramFamily("h", nativeOf(20_000))), "a histogram or summary has more than 10000 buckets, quantiles and exemplars"},
		"many natives":     {inProtobuf(t, histogramFamily("h", slices.Repeat([]*dto.Metric{nativeOf(9000)}, 20)...)), "its native histograms have too many buckets"},
		"cut short":        {page{kind: protobufKind, body: "\x05\x0a"}, "metric family 1 is cut short"},
		"endless length":   {page{kind: protobufKind, body: strings.Repeat("\xff", 20)}, "metric family 1 is cut short"},
		"no fields":        {page{kind: protobufKind, body: "\x02\xff\xff"}, "it is not protobuf"},
		"no type":          {inProtobuf(t, &dto.MetricFamily{Name: proto.String("h"), Type: (*dto.MetricType)(proto.Int32(77)), Metric: []*dto.Metric{many}}), "unknown metric type"},
		"no name":          {inProtobuf(t, &dto.MetricFamily{Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{many}}), "invalid metric name"},
		"spans do not fit": {inProtobuf(t, histogramFamily("h", &dto.Metric{Histogram: &dto.Histogram{PositiveSpan: []*dto.BucketSpan{{Length: proto.Uint32(4_000_000_000)}}}})), "spans require 4000000000 buckets, have 0"},
	} {
		t.Run(name, func(t *testing.T) {
			s := servePages(t, map[string]page{"page": c.page})
			got := scrapeOne(t, s.server.URL+"/page", ScrapeConfig{Metric: "h_count"})
			require.Equal(t, engine.Error, got.State)
			require.Contains(t, got.Problem, c.want)
		})
	}
}

// The histograms of real programs are far within the bounds.
func TestProtobufPageOfManyHistograms(t *testing.T) {
	var metrics []*dto.Metric
	for i := range 2000 {
		m := nativeOf(160)
		m.Label = []*dto.LabelPair{{Name: proto.String("i"), Value: proto.String(strings.Repeat("x", i%50) + string(rune('a'+i/50)))}}
		metrics = append(metrics, m)
	}
	s := servePages(t, map[string]page{"page": inProtobuf(t, histogramFamily("h", metrics...))})
	got := scrapeOne(t, s.server.URL+"/page", ScrapeConfig{Metric: "h_count"})
	require.Equal(t, engine.OK, got.State, got.Problem)
	require.Equal(t, 14000.0, got.Value)
}

// A family whose second native histogram does not fit its spans is read like by Prometheus;
// the count is that of the page.
func TestProtobufHistogramsThatFollow(t *testing.T) {
	second := nativeOf(4)
	second.Label = []*dto.LabelPair{{Name: proto.String("a"), Value: proto.String("b")}}
	second.Histogram.PositiveSpan = []*dto.BucketSpan{{Length: proto.Uint32(4_000_000_000)}, {Offset: proto.Int32(-5), Length: proto.Uint32(3)}}
	p := inProtobuf(t, histogramFamily("h", nativeOf(4), second))
	found, err := readExposition(p.kind, []byte(p.body), newSampleSelector(&ScrapeConfig{Metric: "h_count"}), time.Now())
	require.NoError(t, err)
	require.Len(t, found.points, 2)
}
