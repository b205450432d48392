package sensors

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	// mostFamilies bounds the metric families of a page in protobuf. The parser calls
	// itself for each that is empty.
	mostFamilies = 100_000
	// mostParts bounds a histogram or a summary: the parser holds one at a time, at many
	// times the size that its parts may have on the page.
	mostParts = 10_000
	// mostCompacting bounds what the parser does to native histograms: the sum, over
	// all of a page, of the square of the bytes of their buckets.
	mostCompacting = 1 << 30
)

// Numbers of fields in the messages of Prometheus' client model.
const (
	fieldMetrics        = 4  // of a MetricFamily
	fieldSummary        = 4  // of a Metric
	fieldHistogram      = 7  // of a Metric
	fieldNegativeSpan   = 9  // the first and
	fieldPositiveCounts = 14 // the last of a Histogram that speak of native buckets
)

var errProtobuf = errors.New("it is not protobuf")

// checkProtobuf finds a page that would take the parser more stack or more time than
// any page is worth. It does not look at what the page means.
func checkProtobuf(body []byte) error {
	compacting := 0
	for families := 1; len(body) > 0; families++ {
		if families > mostFamilies {
			return fmt.Errorf("%w: more than %d metric families", ErrTooLarge, mostFamilies)
		}
		family, n := protowire.ConsumeBytes(body)
		if n < 0 {
			return fmt.Errorf("%w: metric family %d is cut short", errProtobuf, families)
		}
		body = body[n:]
		err := eachField(family, fieldMetrics, fieldMetrics, func(metric []byte) error {
			size, err := sizeOfMetric(metric)
			if compacting += size.native * size.native; err == nil && compacting > mostCompacting {
				err = fmt.Errorf("%w: its native histograms have too many buckets", ErrTooLarge)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// metricSize is what a metric makes the parser hold at once.
type metricSize struct {
	parts  int // buckets, quantiles, exemplars, spans
	native int // bytes of native buckets
}

func sizeOfMetric(metric []byte) (size metricSize, err error) {
	count := func([]byte) error {
		if size.parts++; size.parts > mostParts {
			return fmt.Errorf("%w: a histogram or summary has more than %d buckets, quantiles and exemplars", ErrTooLarge, mostParts)
		}
		return nil
	}
	err = eachField(metric, fieldSummary, fieldSummary, func(of []byte) error {
		return eachField(of, 1, protowire.MaxValidNumber, count)
	})
	if err != nil {
		return size, err
	}
	err = eachField(metric, fieldHistogram, fieldHistogram, func(of []byte) error {
		if err := eachField(of, 1, protowire.MaxValidNumber, count); err != nil {
			return err
		}
		return eachField(of, fieldNegativeSpan, fieldPositiveCounts, func(buckets []byte) error {
			size.native += len(buckets)
			return nil
		})
	})
	return size, err
}

// eachField calls f with the encoded value of each field of a message whose number is
// from first to last.
func eachField(message []byte, first, last protowire.Number, f func([]byte) error) error {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return errProtobuf
		}
		message = message[n:]
		size := protowire.ConsumeFieldValue(field, kind, message)
		if size < 0 {
			return errProtobuf
		}
		value := message[:size]
		message = message[size:]
		if field < first || field > last {
			continue
		}
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(value)
		}
		if err := f(value); err != nil {
			return err
		}
	}
	return nil
}
