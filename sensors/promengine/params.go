package promengine

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// badParam is the error for an invalid parameter.
func badParam(name string, err error) *apiError {
	return &apiError{badData, fmt.Errorf("invalid parameter %q: %w", name, err)}
}

// timeParam parses a time in Unix seconds or RFC 3339.
func timeParam(r *http.Request, name string, absent time.Time) (time.Time, *apiError) {
	text := r.FormValue(name)
	if text == "" {
		if absent.IsZero() {
			return absent, badParam(name, errors.New("it is missing"))
		}
		return absent, nil
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(f) < math.MaxInt64/1000 {
		return time.UnixMilli(int64(math.Round(f * 1000))), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	return time.Time{}, badParam(name, fmt.Errorf("cannot parse %q to a valid timestamp", text))
}

// durationParam parses a duration in seconds or in Prometheus' format ("1m30s"); 0 if it is
// absent.
func durationParam(r *http.Request, name string) (time.Duration, *apiError) {
	text := r.FormValue(name)
	if text == "" {
		return 0, nil
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(f) < math.MaxInt64/float64(time.Second) {
		return time.Duration(f * float64(time.Second)), nil
	}
	if d, err := model.ParseDuration(text); err == nil {
		return time.Duration(d), nil
	}
	return 0, badParam(name, fmt.Errorf("cannot parse %q to a valid duration", text))
}

// limitParam parses the maximum number of results; 0 means no limit.
func limitParam(r *http.Request) (int, *apiError) {
	text := r.FormValue("limit")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err == nil && n < 0 {
		err = errors.New("limit must be non-negative")
	}
	if err != nil {
		return 0, badParam("limit", err)
	}
	return n, nil
}

// matchParam parses the selectors of match[]. Each needs a matcher that does not match the
// empty string; otherwise it would select everything.
func (a *api) matchParam(r *http.Request) ([][]*labels.Matcher, *apiError) {
	sets, err := a.parser.ParseMetricSelectors(r.Form["match[]"])
	if err != nil {
		return nil, badParam("match[]", err)
	}
	for _, set := range sets {
		bounded := false
		for _, m := range set {
			bounded = bounded || !m.Matches("")
		}
		if !bounded {
			return nil, badParam("match[]", errors.New("match[] must contain at least one non-empty matcher"))
		}
	}
	return sets, nil
}
