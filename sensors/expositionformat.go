package sensors

import (
	"bytes"
	"errors"
	"fmt"
	"mime"

	"github.com/prometheus/prometheus/model/textparse"
)

// acceptExposition is the Accept header of Prometheus' scrape with native histograms enabled:
// only protobuf carries them. Like Prometheus, it asks for UTF-8 names only in the text
// formats and in protobuf.
const acceptExposition = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=allow-utf-8;q=0.7," +
	"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6," +
	"application/openmetrics-text;version=0.0.1;q=0.5," +
	"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4," +
	"text/plain;version=0.0.4;q=0.3,*/*;q=0.2"

const (
	protobufFormat = "application/vnd.google.protobuf"
	textFormat     = "text/plain"
)

// newExpositionParser returns Prometheus' parser for the Content-Type. A page without a
// Content-Type is parsed as text.
func newExpositionParser(kind string, body []byte) (textparse.Parser, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, errors.New("answered an empty page")
	}
	if kind == "" {
		kind = textFormat
	}
	if media, _, err := mime.ParseMediaType(kind); err == nil && media == protobufFormat {
		if err := checkProtobuf(body); err != nil {
			return nil, fmt.Errorf("the page of metrics can't be read: %w", err)
		}
	}
	// Sensors read classic buckets, so they are kept if there are native ones too.
	parser, err := textparse.New(body, kind, nil, textparse.ParserOptions{KeepClassicOnClassicAndNativeHistograms: true})
	if parser == nil || err != nil {
		return nil, fmt.Errorf("answered %s, not a page of metrics: its Content-Type must be text/plain, application/openmetrics-text (up to 1.0.0) or %s", clip(kind), protobufFormat)
	}
	return parser, nil
}
