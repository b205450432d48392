package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// exchange is a request that a server answered well.
type exchange struct {
	Method string          `json:"method"`
	Path   string          `json:"path"` // with the query
	Body   json.RawMessage `json:"body"`
	Answer json.RawMessage `json:"answer"`
}

// decode reads exchanges, and fails on a field that MLflow's messages don't have, or
// have in another type.
func decode(in io.Reader) error {
	known := calls()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	var errs []error
	for lines.Scan() {
		var x exchange
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			return err
		}
		if err := x.check(known); err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", x.Method, x.Path, err))
		}
	}
	return errors.Join(append(errs, lines.Err())...)
}

func (x exchange) check(known []call) error {
	u, err := url.Parse(x.Path)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(known, func(c call) bool { return c.Path == u.Path && slices.Contains(c.Methods, x.Method) })
	if i < 0 {
		return errors.New("MLflow has no such call")
	}
	c := known[i]
	body := x.Body
	if x.Method == "GET" {
		if body, err = fromQuery(u.Query(), c.message); err != nil {
			return err
		}
	}
	if err := protojson.Unmarshal(body, dynamicpb.NewMessage(c.message)); err != nil {
		return fmt.Errorf("request %s: %w", body, err)
	}
	if err := protojson.Unmarshal(x.Answer, dynamicpb.NewMessage(c.response)); err != nil {
		return fmt.Errorf("answer %s: %w", x.Answer, err)
	}
	return nil
}

// fromQuery makes JSON of a query, as MLflow's server does: lists where the field is one.
func fromQuery(q url.Values, m protoreflect.MessageDescriptor) ([]byte, error) {
	out := map[string]any{}
	for name, values := range q {
		f := m.Fields().ByName(protoreflect.Name(name))
		switch {
		case f == nil:
			return nil, fmt.Errorf("MLflow has no parameter %s", name)
		case f.IsList():
			out[name] = values
		default:
			out[name] = values[0]
		}
	}
	return json.Marshal(out)
}
