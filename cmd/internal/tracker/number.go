package tracker

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
)

// integer is a whole number in a request: a JSON number, or a string with one, as protobuf's
// JSON writes it. Answers have numbers, like MLflow's.
type integer int64

// UnmarshalJSON accepts 5, "5" and 5.0.
func (n *integer) UnmarshalJSON(raw []byte) error {
	text := strings.Trim(string(raw), `"`)
	if text == "null" {
		return nil
	}
	if v, err := strconv.ParseInt(text, 10, 64); err == nil {
		*n = integer(v)
		return nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
		return errors.New("no whole number")
	}
	*n = integer(f)
	return nil
}

// double is a number that may be NaN or infinite. JSON has no such numbers: they are
// the strings NaN, Infinity and -Infinity, as in protobuf's JSON.
type double float64

// UnmarshalJSON accepts a number, or a string with one.
func (d *double) UnmarshalJSON(raw []byte) error {
	text := string(raw)
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
	}
	switch text {
	case "null":
		return nil
	case "NaN":
		*d = double(math.NaN())
		return nil
	case "Infinity":
		*d = double(math.Inf(1))
		return nil
	case "-Infinity":
		*d = double(math.Inf(-1))
		return nil
	}
	if strings.Trim(text, "+-.0123456789eE") != "" {
		return errors.New("no number")
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return err
	}
	*d = double(v)
	return nil
}

// MarshalJSON writes a JSON number, or the string of one that JSON does not have.
func (d double) MarshalJSON() ([]byte, error) {
	f := float64(d)
	switch {
	case math.IsNaN(f):
		return []byte(`"NaN"`), nil
	case math.IsInf(f, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(f, -1):
		return []byte(`"-Infinity"`), nil
	}
	return json.Marshal(f)
}

// kept returns a value as it is stored: NaN as 0 and a flag, and infinity as the greatest
// number, as MLflow's own databases do.
func (d double) kept() (value float64, nan bool) {
	f := float64(d)
	switch {
	case math.IsNaN(f):
		return 0, true
	case math.IsInf(f, 0):
		return math.Copysign(math.MaxFloat64, f), false
	}
	return f, false
}

func restored(value float64, nan bool) double {
	if nan {
		return double(math.NaN())
	}
	return double(value)
}
