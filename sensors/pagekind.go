package sensors

import (
	"bytes"
	"errors"
	"fmt"
	"mime"

	"github.com/prometheus/prometheus/model/textparse"
)

// acceptPages is what Prometheus' scrape accepts where native histograms are on: they
// come in protobuf alone. Names come as they are in protobuf too, which Prometheus asks
// of the other formats only.
const acceptPages = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=allow-utf-8;q=0.7," +
	"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6," +
	"application/openmetrics-text;version=0.0.1;q=0.5," +
	"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4," +
	"text/plain;version=0.0.4;q=0.3,*/*;q=0.2"

const (
	protobufPage = "application/vnd.google.protobuf"
	textPage     = "text/plain"
)

// newPageParser is Prometheus' own parser for a page of that Content-Type. One
// without a Content-Type is read as text.
func newPageParser(kind string, body []byte) (textparse.Parser, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, errors.New("answered an empty page")
	}
	if kind == "" {
		kind = textPage
	}
	if media, _, err := mime.ParseMediaType(kind); err == nil && media == protobufPage {
		if err := checkProtobuf(body); err != nil {
			return nil, fmt.Errorf("the page of metrics can't be read: %w", err)
		}
	}
	// Classic buckets are kept beside native ones: sensors read them.
	parser, err := textparse.New(body, kind, nil, textparse.ParserOptions{KeepClassicOnClassicAndNativeHistograms: true})
	if parser == nil || err != nil {
		return nil, fmt.Errorf("answered %s, not a page of metrics: its Content-Type must be text/plain, application/openmetrics-text (up to 1.0.0) or %s", clip(kind), protobufPage)
	}
	return parser, nil
}
