package mlflow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// integer is an int64 in JSON: a number, or a string as protobuf's JSON mapping writes it.
type integer int64

func (i *integer) UnmarshalJSON(raw []byte) error {
	if bytes.Equal(raw, []byte("null")) {
		return nil
	}
	n, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
	if err != nil {
		return fmt.Errorf("%s is no whole number", short(raw))
	}
	*i = integer(n)
	return nil
}

// short returns the beginning of a value to quote, with a mark where it was cut.
func short(raw []byte) string {
	if len(raw) > longestQuote {
		return strings.ToValidUTF8(string(raw[:longestQuote]), "") + "..."
	}
	return string(raw)
}

const longestQuote = 40

// moment converts milliseconds since 1970; 0 is the zero time.
func (i integer) moment() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(i))
}

// millis converts a time to milliseconds since 1970; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// text is a string that some servers write as a whole number: ids, versions.
type text string

func (t *text) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] != '"' {
		if *t = ""; bytes.Equal(raw, []byte("null")) {
			return nil
		}
		var n integer
		if err := n.UnmarshalJSON(raw); err != nil {
			return err
		}
		*t = text(raw)
		return nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	*t = text(s)
	return err
}

// double is a float64 in JSON: a number, or the strings NaN, Infinity and -Infinity of
// protobuf's JSON mapping.
type double float64

// storedInfinity is the least number that stands for an infinity. MLflow's store can't hold one
// and keeps the largest float64 instead, which databases round in the last digits.
const storedInfinity = 1.7976931348623e308

func (d *double) UnmarshalJSON(raw []byte) error {
	s := strings.Trim(string(raw), `"`)
	f, err := strconv.ParseFloat(s, 64) // of a number that is too large, an infinity and ErrRange
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange), strings.ContainsAny(s, "_xX"): // as Go's source has them
		return fmt.Errorf("%s is no number", short(raw))
	case math.Abs(f) >= storedInfinity:
		f = math.Copysign(math.Inf(1), f)
	}
	*d = double(f)
	return nil
}

func (d double) MarshalJSON() ([]byte, error) {
	switch f := float64(d); {
	case math.IsNaN(f):
		return []byte(`"NaN"`), nil
	case math.IsInf(f, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(f, -1):
		return []byte(`"-Infinity"`), nil
	}
	return json.Marshal(float64(d))
}

// pair is a param or a tag on the wire.
type pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func unpack(list []pair) map[string]string {
	out := make(map[string]string, len(list))
	for _, p := range list {
		out[p.Key] = p.Value
	}
	return out
}
