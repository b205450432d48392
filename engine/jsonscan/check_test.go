package jsonscan_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/jsonscan"
	"github.com/scanflow-k8s/scanflow/engine/server/hostile"
)

var limits = jsonscan.Limits{Values: 1000, Depth: 8}

func TestWhatIsWrongIsSaid(t *testing.T) {
	for text, c := range map[string]struct {
		path, want string
		is         error
	}{
		``:                          {"", "is cut short", jsonscan.ErrCutShort},
		`{"a":[1,`:                  {".a[1]", "is cut short", jsonscan.ErrCutShort},
		`"abc`:                      {"", "is cut short", jsonscan.ErrCutShort},
		`"\u12`:                     {"", "is cut short", jsonscan.ErrCutShort},
		`tru`:                       {"", "is cut short", jsonscan.ErrCutShort},
		`id=1`:                      {"", `has 'i' at byte 1, where a value belongs`, nil},
		`{"a" 1}`:                   {"", `has '1' at byte 6, where a colon belongs`, nil},
		`[1 2]`:                     {"", `has '2' at byte 4, where a comma or ] belongs`, nil},
		`{"a":1 "b":2}`:             {"", `has '"' at byte 8, where a comma or } belongs`, nil},
		`{"a":01}`:                  {"", `has '1' at byte 7, where a comma or } belongs`, nil},
		`[1,]`:                      {"[1]", `has ']' at byte 4, where a value belongs`, nil},
		`{a:1}`:                     {"", `has 'a' at byte 2, where a name in " belongs`, nil},
		"\"a\nb\"":                  {"", `has the control character '\n' at byte 3 within a text`, nil},
		`"\x"`:                      {"", `has 'x' at byte 3, where one of "\/bfnrtu belongs`, nil},
		`"\u00zz"`:                  {"", `has 'z' at byte 6, where a hexadecimal digit belongs`, nil},
		`-`:                         {"", "is cut short", jsonscan.ErrCutShort},
		`1.x`:                       {"", `has 'x' at byte 3, where a digit belongs`, nil},
		`1 2`:                       {"", "is followed by more, at byte 3", jsonscan.ErrMore},
		`[[[[[[[[[1]]]]]]]]]`:       {"[0][0][0][0][0][0][0][0]", "is nested more than 8 deep", jsonscan.ErrTooDeep},
		`{"n":[0,1e100000]}`:        {".n[1]", "has the number 1e100000, which is out of range", jsonscan.ErrRefused},
		`{"n":-1E+400}`:             {".n", "has the number -1E+400, which is out of range", jsonscan.ErrRefused},
		`1e-100000`:                 {"", "has the number 1e-100000, which is too close to 0", jsonscan.ErrRefused},
		strings.Repeat("9", 400):    {"", "has the number " + strings.Repeat("9", 60) + "..., which is out of range", jsonscan.ErrRefused},
		strings.Repeat("1", 5000):   {"", "has a number of 5000 characters, " + strings.Repeat("1", 60) + "...; at most 1000 are read", jsonscan.ErrRefused},
		`{"a":1,"b":{"c":1,"c":2}}`: {".b", `has the member "c" twice; keep one`, jsonscan.ErrRefused},
		`{"a":1,"\u0061":2}`:        {"", `has the member "a" twice; keep one`, jsonscan.ErrRefused},
		`{"0":0,"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"3":1}`: {"", `has the member "3" twice; keep one`, jsonscan.ErrRefused},
		`{"a\u001b[31m":[nope]}`:                 {`["a\x1b[31m"][0]`, `has 'o' at byte 18, where null belongs`, nil},
		`{"` + strings.Repeat("k", 500) + `":x}`: {"." + strings.Repeat("k", 59) + "...", `has 'x' at byte 505, where a value belongs`, nil},
		"[" + strings.Repeat("[],", 999) + "[]]": {"[999]", "has more than 1000 JSON values", jsonscan.ErrTooMany},
		`{"a":` + "[" + strings.Repeat("{},", 600) + `0],"b":[` + strings.Repeat("0,", 600) + "0]}": {".b[396]", "has more than 1000 JSON values", jsonscan.ErrTooMany},
	} {
		_, err := jsonscan.Check([]byte(text), limits)
		var e *jsonscan.Error
		require.ErrorAs(t, err, &e, "%.80q", text)
		require.Equal(t, []string{c.path, c.want}, []string{e.Path, e.Error()}, "%.80q", text)
		if c.is != nil {
			require.ErrorIs(t, err, c.is)
		}
	}
}

func TestWhatIsWithinTheLimitsIsLetPass(t *testing.T) {
	for text, values := range map[string]int{
		` null `: 1, `"\ud800 \" é"`: 1, `[]`: 1, ` { "a" : [ 1 , -0.5e-3 , true , false , "" ] , "b" : { } } `: 8,
		`1e308`: 1, `5e-324`: 1, `0e100000`: 1, `0.0e-99999`: 1, strings.Repeat("9", 300): 1, "0." + strings.Repeat("3", 900): 1,
		"[" + strings.Repeat("[],", 998) + "[]]": 1000, `[[[[[[[[]]]]]]]]`: 8, `{"a":{"a":1},"b":{"a":1}}`: 5,
	} {
		n, err := jsonscan.Check([]byte(text), limits)
		require.NoError(t, err, "%.80q", text)
		require.Equal(t, values, n, "%.80q", text)
	}
}

func TestAnObjectAndAnArrayAreTakenApart(t *testing.T) {
	var got []string
	jsonscan.Members([]byte(` { "a" : 1 , "\"" : [ "]" , {"x":"}\\"} ] , "c":"," } `), func(name, value []byte) bool {
		got = append(got, string(name)+"="+string(value))
		return true
	})
	require.Equal(t, []string{`a=1`, `\"=[ "]" , {"x":"}\\"} ]`, `c=","`}, got)
	got = nil
	jsonscan.Members([]byte(`{"a":1,"b":2,"c":3}`), func(name, _ []byte) bool {
		got = append(got, string(name))
		return len(got) < 2
	})
	require.Equal(t, []string{"a", "b"}, got, "until it is told to stop")
	jsonscan.Members([]byte(`[1]`), func(_, _ []byte) bool { t.Error("an array has no members"); return true })

	got = nil
	err := jsonscan.Each([]byte(` [ 1 , {"a":[2]} ] `), limits, func(n int, element []byte, values int) error {
		got = append(got, fmt.Sprintf("%d %s %d", n, element, values))
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []string{`0 1 1`, `1 {"a":[2]} 3`}, got)
	for text, want := range map[string]string{`{}`: "has '{' at byte 1, where an array belongs", `[1,`: "is cut short", `[1]x`: "is followed by more, at byte 4", `[1 1]`: "has '1' at byte 4, where a comma or ] belongs"} {
		require.EqualError(t, jsonscan.Each([]byte(text), limits, func(int, []byte, int) error { return nil }), want)
	}
}

// FuzzCheck compares with encoding/json: what is let pass is JSON that it decodes, and
// what is not, for its syntax, is none for it either.
func FuzzCheck(f *testing.F) {
	for _, text := range []string{`{"a":[1,2.5e3,"x\u00e9\n",null,true,false,{}]}`, `[[],[]]`, `1e999`, `{"a":1,"a":2}`, `"\ud800"`, ``, ` `, `[1,]`, `-0`, `01`, `{"a":1e-999}`} {
		f.Add([]byte(text))
	}
	for _, p := range hostile.Payloads(3000) {
		f.Add([]byte(p.Body))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !utf8.Valid(raw) {
			return
		}
		n, err := jsonscan.Check(raw, limits)
		if err == nil {
			var v any
			require.NoError(t, json.Unmarshal(raw, &v))
			require.Equal(t, count(v), n)
			jsonscan.Members(raw, func(_, value []byte) bool { require.True(t, json.Valid(value)); return true })
			return
		}
		for _, rule := range []error{jsonscan.ErrTooMany, jsonscan.ErrTooDeep, jsonscan.ErrRefused} {
			if wraps(err, rule) {
				return
			}
		}
		require.False(t, json.Valid(raw), err)
	})
}

func wraps(err, target error) bool {
	var e *jsonscan.Error
	return errors.As(err, &e) && errors.Is(e.Unwrap(), target)
}

func count(v any) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			n += count(inner)
		}
	case []any:
		for _, inner := range v {
			n += count(inner)
		}
	}
	return n
}

// Text that is not decoded costs no memory: a million empty arrays allocate nothing.
func TestAScanAllocatesNothing(t *testing.T) {
	raw := []byte("[" + strings.Repeat("[],", 1_000_000) + "{}]")
	wide := jsonscan.Limits{Values: 2_000_000, Depth: 8}
	allocated := testing.AllocsPerRun(1, func() {
		if _, err := jsonscan.Check(raw, wide); err != nil {
			t.Error(err)
		}
	})
	require.Less(t, allocated, 10.0)
}
