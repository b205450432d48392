package sensors

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	// maxFamilies bounds the metric families of a page in protobuf. The parser recurses once
	// for each empty one.
	maxFamilies = 100_000
	// maxHistogramParts bounds the parts of a histogram or a summary. The parser holds one of
	// them in memory, where its parts take many times their encoded size.
	maxHistogramParts = 10_000
	// maxCompaction bounds the work of the parser on native histograms: the sum over the page
	// of the squared encoded size of their buckets.
	maxCompaction = 1 << 30
)

// Numbers of fields in the messages of Prometheus' client model.
const (
	fieldMetrics        = 4  // of a MetricFamily
	fieldSummary        = 4  // of a Metric
	fieldHistogram      = 7  // of a Metric
	fieldNegativeSpan   = 9  // the first of a Histogram about native buckets
	fieldPositiveCounts = 14 // the last one
)

var errProtobuf = errors.New("it is not protobuf")

// checkProtobuf returns an error for a page that would take the parser too much stack or time.
// It does not check the meaning of the page.
func checkProtobuf(body []byte) error {
	compaction := 0
	for families := 1; len(body) > 0; families++ {
		if families > maxFamilies {
			return fmt.Errorf("%w: more than %d metric families", ErrTooLarge, maxFamilies)
		}
		family, n := protowire.ConsumeBytes(body)
		if n < 0 {
			return fmt.Errorf("%w: metric family %d is cut short", errProtobuf, families)
		}
		body = body[n:]
		err := eachField(family, fieldMetrics, fieldMetrics, func(metric []byte) error {
			size, err := sizeOfMetric(metric)
			if compaction += size.native * size.native; err == nil && compaction > maxCompaction {
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

// metricSize is the size of a metric once it is parsed.
type metricSize struct {
	parts  int // buckets, quantiles, exemplars, spans
	native int // bytes of native buckets
}

func sizeOfMetric(metric []byte) (size metricSize, err error) {
	count := func([]byte) error {
		if size.parts++; size.parts > maxHistogramParts {
			return fmt.Errorf("%w: a histogram or summary has more than %d buckets, quantiles and exemplars", ErrTooLarge, maxHistogramParts)
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
