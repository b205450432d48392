package sensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"

	"github.com/prometheus/common/model"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// numberText is the type of a number that an application writes as a JSON string.
const numberText = "number-text"

// jsonType returns the type of a JSON value, as JSON Schema names it.
func jsonType(v any) string {
	switch v.(type) {
	case float64, json.Number:
		return "number"
	case string:
		return "string"
	case bool:
		return "boolean"
	case []any:
		return "array"
	}
	return "object"
}

// typedValue checks a value against the declared type and converts it for policies. Numbers
// become float64. A number that a float64 can't hold exactly is an error that quotes its
// digits.
func typedValue(v any, kind string) (any, error) {
	is := jsonType(v)
	switch {
	case kind == numberText && is == "string":
		return parseQuotedNumber(v.(string))
	case kind == numberText && is == "number":
		return nil, errors.New("the value is of type number, and no text; say type: number")
	case is != kind:
		return nil, errors.New("the value is of type " + is + ", not " + kind + "; if that is meant, say so by type")
	}
	if n, beyond := v.(json.Number); beyond {
		return nil, beyondFloat(n)
	}
	if at, n := findTooLarge(v, ""); n != "" {
		return nil, fmt.Errorf("the value has the number %s at %s, which is too large for policies to compute with", shorten(string(n)), clip(at))
	}
	return v, nil
}

// findTooLarge finds a number outside the range of a float64, and returns its JSON Pointer. An
// integer within the range is left as it is.
func findTooLarge(v any, at string) (where string, n json.Number) {
	switch v := v.(type) {
	case json.Number:
		if _, err := strconv.ParseFloat(string(v), 64); err != nil {
			return at, v
		}
	case []any:
		for i := range v {
			if where, n = findTooLarge(v[i], at+"/"+strconv.Itoa(i)); n != "" {
				return where, n
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			escaped, _ := inPointer(key) // never fails
			if where, n = findTooLarge(v[key], at+"/"+escaped); n != "" {
				return where, n
			}
		}
	}
	return "", ""
}

// shorten truncates a number, or a text in place of one, for an error.
func shorten(text string) string { return excerpt(text, 40) }

// errBeyondFloat is the error for a number that a float64 can't hold exactly.
type errBeyondFloat json.Number

func (n errBeyondFloat) Error() string {
	return "the value " + shorten(string(n)) + " would be another number as a 64-bit float, which is what policies compute with"
}

func beyondFloat(n json.Number) error {
	return fmt.Errorf("%w; have the application write it in quotes, and say type: string", errBeyondFloat(n))
}

var (
	decimal         = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?$`)
	notANumber      = regexp.MustCompile(`^(?i)([+-]?(inf|infinity)|nan)$`)
	maxNumberLength = 400
)

var errNoNumber = errors.New("no number")

// parseNumber parses a decimal number, NaN or an infinity.
func parseNumber(text string) (float64, error) {
	if !notANumber.MatchString(text) && (len(text) > maxNumberLength || !decimal.MatchString(text)) {
		return 0, errNoNumber
	}
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, errNoNumber
	case math.IsInf(f, 0) || math.IsNaN(f):
		return f, nil
	}
	if n, beyond := jsonvalue.Exact(json.Number(text)).(json.Number); beyond {
		return 0, errBeyondFloat(n)
	}
	return f, nil
}

// parseQuotedNumber parses a number that an application writes as a JSON string.
func parseQuotedNumber(text string) (any, error) {
	f, err := parseNumber(text)
	switch n := errBeyondFloat(""); {
	case errors.As(err, &n):
		return nil, fmt.Errorf("%w; say type: string", err)
	case err != nil:
		return nil, fmt.Errorf("the value is the text %q, which is no number", shorten(text))
	}
	return f, nil
}

// finiteSignal sets the state to NaN if the value is NaN or infinite. what names the value.
func finiteSignal(s engine.Signal, what string) engine.Signal {
	if f, is := s.Value.(float64); is && s.State == engine.OK && notFinite(f) {
		s.State, s.Value, s.Problem = engine.NaN, nil, what+" is "+model.SampleValue(f).String()
	}
	return s
}
