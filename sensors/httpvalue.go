package sensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// numberText is the type of a number that an application writes in quotes.
const numberText = "number-text"

// jsonType is a JSON value's type, as JSON Schema names it.
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

// typedValue is a value of the declared kind, as policies see it. A number is a float64: one
// that no float64 holds is refused by its digits.
func typedValue(v any, kind string) (any, error) {
	is := jsonType(v)
	switch {
	case kind == numberText && is == "string":
		return inQuotes(v.(string))
	case kind == numberText && is == "number":
		return nil, errors.New("the value is of type number, and no text; say type: number")
	case is != kind:
		return nil, errors.New("the value is of type " + is + ", not " + kind + "; if that is meant, say so by type")
	}
	if n, beyond := v.(json.Number); beyond {
		return nil, beyondFloat(n)
	}
	if at, n := tooLarge(v, ""); n != "" {
		return nil, fmt.Errorf("the value has the number %s at %s, which is too large for policies to compute with", short(string(n)), clip(at))
	}
	return v, nil
}

// tooLarge finds a number that is beyond the range of a float64, and where it is: a JSON
// Pointer. A whole one within it stays as it is.
func tooLarge(v any, at string) (where string, n json.Number) {
	switch v := v.(type) {
	case json.Number:
		if _, err := strconv.ParseFloat(string(v), 64); err != nil {
			return at, v
		}
	case []any:
		for i := range v {
			if where, n = tooLarge(v[i], at+"/"+strconv.Itoa(i)); n != "" {
				return where, n
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			escaped, _ := inPointer(key) // of any text
			if where, n = tooLarge(v[key], at+"/"+escaped); n != "" {
				return where, n
			}
		}
	}
	return "", ""
}

// short is a number, or what stands for one, as an error quotes it.
func short(text string) string { return excerpt(text, 40) }

// errBeyondFloat is a number that no float64 holds, by its digits.
type errBeyondFloat json.Number

func (n errBeyondFloat) Error() string {
	return "the value " + short(string(n)) + " would be another number as a 64-bit float, which is what policies compute with"
}

func beyondFloat(n json.Number) error {
	return fmt.Errorf("%w; have the application write it in quotes, and say type: string", errBeyondFloat(n))
}

var (
	decimal     = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?$`)
	notANumber  = regexp.MustCompile(`^(?i)([+-]?(inf|infinity)|nan)$`)
	longestText = 400
)

var errNoNumber = errors.New("no number")

// numberOf reads a text that is a number: decimal, or one of the words for what is none.
func numberOf(text string) (float64, error) {
	if !notANumber.MatchString(text) && (len(text) > longestText || !decimal.MatchString(text)) {
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

// inQuotes is the value of a number that an application writes in quotes.
func inQuotes(text string) (any, error) {
	f, err := numberOf(text)
	switch n := errBeyondFloat(""); {
	case errors.As(err, &n):
		return nil, fmt.Errorf("%w; say type: string", err)
	case err != nil:
		return nil, fmt.Errorf("the value is the text %q, which is no number", short(text))
	}
	return f, nil
}

// units are the nanoseconds of what a time may be counted in.
var units = map[string]int64{"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1}

// momentOf is a time as an application writes it: by a unit a number of them since 1970, in
// quotes or not; without one RFC 3339, or seconds since 1970.
func momentOf(v any, unit string) (time.Time, error) {
	if unit != "" {
		return momentIn(v, unit)
	}
	switch v := v.(type) {
	case float64:
		if math.Abs(v) < 1e11 {
			return time.UnixMilli(int64(math.Round(v * 1000))), nil
		}
		return time.Time{}, errors.New("is beyond the year 5000 in seconds since 1970; if it counts milliseconds, say timestampUnit: ms")
	case json.Number:
		return time.Time{}, errors.New("is beyond the year 5000 in seconds since 1970; if it counts nanoseconds, say timestampUnit: ns")
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("is neither RFC 3339 nor seconds since 1970; if it is a number of another unit, or in quotes, say timestampUnit")
}

// momentIn keeps all of the digits: nanoseconds are beyond what a float64 counts.
func momentIn(v any, unit string) (time.Time, error) {
	text := ""
	switch v := v.(type) {
	case float64:
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case json.Number:
		text = string(v)
	case string:
		text = v
	}
	n, ok := new(big.Rat), len(text) <= longestText && decimal.MatchString(text)
	if ok {
		n, ok = n.SetString(strings.TrimPrefix(text, "+"))
	}
	if !ok {
		return time.Time{}, fmt.Errorf("is no number, and timestampUnit is %s; leave that out for RFC 3339", unit)
	}
	n.Mul(n, new(big.Rat).SetInt64(units[unit]))
	ns := new(big.Int).Quo(n.Num(), n.Denom())
	if !ns.IsInt64() {
		return time.Time{}, fmt.Errorf("is no time that can be counted, in %s since 1970", unit)
	}
	return time.Unix(0, ns.Int64()), nil
}
