package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"reflect"
	"strconv"
)

// ExactNumber is a number of JSON as a Go value: a float64, or the json.Number itself where
// it is whole and a float64 would make another number of it, as of 9007199254740993. So
// ids and counts beyond 2^53 go through documents, policies, acts and the journal as they
// came.
func ExactNumber(n json.Number) any {
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || altered(string(n), f) {
		return n
	}
	return f
}

// mostExactDigits bounds what is computed with to tell: a float64 has at most 309 digits
// before its point.
const mostExactDigits = 400

// altered reports whether a text is a whole number that comes out as another one where f is
// written for it.
func altered(text string, f float64) bool {
	if f > -1<<53 && f < 1<<53 {
		return false // all whole numbers up to there are exact
	}
	if len(text) > mostExactDigits {
		return true
	}
	was, ok := new(big.Rat).SetString(text)
	if !ok || !was.IsInt() {
		return false
	}
	is, ok := new(big.Rat).SetString(strconv.FormatFloat(f, 'e', -1, 64))
	return !ok || was.Cmp(is) != 0
}

// UnmarshalExact is json.Unmarshal, but that a number in a value of any type is what
// ExactNumber makes of it.
func UnmarshalExact(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more follows after the first value")
	}
	exact(reflect.ValueOf(into))
	return nil
}

// exact puts in place of each json.Number in a value of any type what ExactNumber makes of
// it. A field of the type json.Number stays.
func exact(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		exact(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				exact(v.Field(i))
			}
		}
	case reflect.Slice, reflect.Array:
		if !mayHoldAny(v.Type().Elem()) {
			return
		}
		for i := range v.Len() {
			exact(v.Index(i))
		}
	case reflect.Map:
		if v.Type().Elem().Kind() == reflect.Interface {
			for _, key := range v.MapKeys() {
				if changed := exactAny(v.MapIndex(key).Interface()); changed != nil {
					v.SetMapIndex(key, reflect.ValueOf(changed))
				}
			}
			return
		}
		if !mayHoldAny(v.Type().Elem()) {
			return
		}
		for _, key := range v.MapKeys() { // what is in a map can't be set in place
			one := reflect.New(v.Type().Elem()).Elem()
			one.Set(v.MapIndex(key))
			exact(one)
			v.SetMapIndex(key, one)
		}
	case reflect.Interface:
		if v.IsNil() || !v.CanSet() {
			return
		}
		if changed := exactAny(v.Interface()); changed != nil {
			v.Set(reflect.ValueOf(changed))
		}
	}
}

// exactAny changes what JSON was decoded into in place, and returns what the value itself
// becomes.
func exactAny(v any) any {
	switch v := v.(type) {
	case json.Number:
		return ExactNumber(v)
	case []any:
		for i := range v {
			v[i] = exactAny(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = exactAny(v[key])
		}
	}
	return v
}

// mayHoldAny reports whether a value of a type can have one of any type in it.
func mayHoldAny(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface, reflect.Struct, reflect.Pointer, reflect.Map:
		return true
	case reflect.Slice, reflect.Array:
		return mayHoldAny(t.Elem())
	}
	return false
}

// Float is a number of a decoded JSON value, near enough for a comparison.
func Float(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case json.Number:
		f, err := strconv.ParseFloat(string(v), 64)
		return f, err == nil || errors.Is(err, strconv.ErrRange)
	}
	return 0, false
}
