// Package jsonvalue decodes JSON into values without loss: a whole number that no float64
// holds stays a json.Number. It uses the standard library alone.
package jsonvalue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"strconv"
)

// Exact returns a JSON number as a Go value: a float64, or the json.Number itself where it
// is a whole number that a float64 does not hold, such as 9007199254740993. Ids and counts
// beyond 2^53 therefore pass through documents, policies, acts and the journal unchanged.
func Exact(n json.Number) any {
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || altered(string(n), f) {
		return n
	}
	return f
}

// mostExactDigits bounds the texts that are compared digit by digit: a float64 has at most
// 309 digits before its point.
const mostExactDigits = 400

// altered reports whether a text is a whole number and f is another number.
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

// Unmarshal is json.Unmarshal that decodes each number in a value of type any by Exact.
func Unmarshal(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more follows after the first value")
	}
	Normalize(into)
	return nil
}

// Normalize replaces each json.Number in a value of type any by what Exact returns. into is
// a pointer. A field of type json.Number stays.
func Normalize(into any) { exact(reflect.ValueOf(into)) }

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

// exactAny normalizes arrays and objects in place, and returns the value to use for v.
func exactAny(v any) any {
	switch v := v.(type) {
	case json.Number:
		return Exact(v)
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

// mayHoldAny reports whether a value of type t can contain a value of type any.
func mayHoldAny(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface, reflect.Struct, reflect.Pointer, reflect.Map:
		return true
	case reflect.Slice, reflect.Array:
		return mayHoldAny(t.Elem())
	}
	return false
}

// Float returns a decoded JSON number as a float64, near enough for a comparison, and
// reports whether v is a number.
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

// Canonical returns v as JSON with sorted keys, for comparisons and hashes.
func Canonical(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}
