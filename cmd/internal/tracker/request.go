package tracker

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
)

// maxBody bounds a request, in bytes, other than an artifact's. MLflow rejects a batch above
// maxBatchBody, and documents no other limit.
const maxBody = 8 << 20

// seeDocs ends the message for an invalid parameter, as in MLflow.
const seeDocs = " See the API docs for more information about request parameters."

// bind reads a request's parameters into a struct: fields by their json names, those
// tagged required must be present and not an empty string, and unknown ones are ignored. They
// are in the body, or in the query if there is no body.
func bind(r *http.Request, into any) error {
	values, err := parameters(r, into)
	if err != nil {
		return err
	}
	v := reflect.ValueOf(into).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := f.Tag.Get("json")
		raw, ok := values[name]
		if old := f.Tag.Get("alias"); !ok && old != "" {
			raw, ok = values[old]
		}
		absent := !ok || string(raw) == "null"
		if f.Tag.Get("required") != "" && (absent || string(raw) == `""`) {
			return invalid("Missing value for required parameter '%s'.%s", name, seeDocs)
		}
		if absent {
			continue
		}
		if err := json.Unmarshal(raw, v.Field(i).Addr().Interface()); err != nil {
			return invalid("Invalid value %s for parameter '%s' supplied: it wants %s.%s", shorten(string(raw)), name, wants(f.Type), seeDocs)
		}
	}
	return nil
}

func parameters(r *http.Request, into any) (map[string]json.RawMessage, error) {
	if r.Method == http.MethodPost {
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || kind != "application/json" {
			return nil, invalid("Bad Request. Content-Type must be one of ['application/json'].")
		}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, tooLong(large.Limit)
	case err != nil:
		return nil, invalid("the body ended too early: %v", err)
	}
	if len(body) > maxBody {
		return nil, invalid("the body is longer than %d bytes", maxBody)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return fromQuery(r.URL.Query(), reflect.TypeOf(into).Elem()), nil
	}
	if body[0] == '"' { // old clients send a string that holds JSON
		var inner string
		if json.Unmarshal(body, &inner) == nil {
			body = []byte(inner)
		}
	}
	out := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &out); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, invalid("the body is no JSON: %v at byte %d", err, syntax.Offset)
		}
		return nil, invalid("the body must be a JSON object")
	}
	return out, nil
}

// fromQuery returns a repeated parameter as a list if the field is a list.
func fromQuery(q url.Values, t reflect.Type) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for i := range t.NumField() {
		f := t.Field(i)
		for _, name := range []string{f.Tag.Get("json"), f.Tag.Get("alias")} {
			if name == "" || !q.Has(name) {
				continue
			}
			var v any = q.Get(name)
			if f.Type.Kind() == reflect.Slice {
				v = q[name]
			}
			raw, err := json.Marshal(v)
			if err == nil { // strings always do
				out[name] = raw
			}
		}
	}
	return out
}

// wants returns the JSON type of a field.
func wants(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if i := slices.IndexFunc(named, func(n typeName) bool { return n.t == t }); i >= 0 {
		return named[i].name
	}
	switch t.Kind() {
	case reflect.Slice:
		return "a list"
	case reflect.Bool:
		return "true or false"
	default:
		return "a string"
	}
}

type typeName struct {
	t    reflect.Type
	name string
}

var named = []typeName{
	{reflect.TypeFor[integer](), "a whole number"},
	{reflect.TypeFor[double](), "a number"},
	{reflect.TypeFor[viewType](), "one of ACTIVE_ONLY, DELETED_ONLY, ALL"},
	{reflect.TypeFor[runStatus](), "one of RUNNING, SCHEDULED, FINISHED, FAILED, KILLED"},
	{reflect.TypeFor[[]tag](), "a list of {key, value}"},
	{reflect.TypeFor[[]newPoint](), "a list of {key, value, timestamp, step}"},
}

// shorten truncates a client's value for a message.
func shorten(s string) string {
	const most = 200
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}
