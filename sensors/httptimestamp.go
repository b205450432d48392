package sensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// units are the units of timestamps, in nanoseconds.
var units = map[string]int64{"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1}

// parseTimestamp parses a time in an application's response. With a unit it is a number since
// 1970, possibly as a string; without a unit it is RFC 3339, or seconds since 1970.
func parseTimestamp(v any, unit string) (time.Time, error) {
	if unit != "" {
		return parseUnixTimestamp(v, unit)
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

// parseUnixTimestamp keeps all digits: a float64 can't hold nanoseconds since 1970 exactly.
func parseUnixTimestamp(v any, unit string) (time.Time, error) {
	text := ""
	switch v := v.(type) {
	case float64:
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case json.Number:
		text = string(v)
	case string:
		text = v
	}
	n, ok := new(big.Rat), len(text) <= maxNumberLength && decimal.MatchString(text)
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
