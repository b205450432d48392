package sensors

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// HTTPConfig takes a value out of a JSON answer.
//
// The value is a number, or of the type that the manifest declares. Anything else is
// an error: in Rego "50" > 1000 is true, as every text is above every number.
// Nothing there, or null, is no value.
type HTTPConfig struct {
	URL       string            `json:"url" required:"true" doc:"address to GET, with {name}, {namespace} and {label:NAME}; without any of them it is asked once for the whole fleet"`
	Pointer   string            `json:"pointer,omitempty" doc:"JSON Pointer (RFC 6901) to the value, with the same placeholders; the whole answer if absent"`
	Type      string            `json:"type,omitempty" default:"number" enum:"number,string,boolean,array,object" doc:"what the value must be; anything else is an error"`
	Timestamp string            `json:"timestamp,omitempty" doc:"JSON Pointer to when the value was measured: RFC 3339, or seconds since 1970; else it is as of now"`
	Timeout   manifest.Duration `json:"timeout,omitempty" doc:"of one request; 2s if absent, and at most half the sensor's own"`

	BasicAuth   *manifest.BasicAuth `json:"basicAuth,omitempty" doc:"user and password"`
	BearerToken *manifest.Secret    `json:"bearerToken,omitempty" doc:"token sent as Authorization: Bearer"`
	Headers     manifest.Headers    `json:"headers,omitempty" doc:"headers to send, by name: a text, or a reference where it is secret, as in X-Scope-OrgID: team-a"`
	TLS         *TLS                `json:"tls,omitempty" doc:"certificates"`
}

// SecretsTo is the address that basicAuth, bearerToken and headers are sent to.
func (c *HTTPConfig) SecretsTo() string { return c.URL }

func (c *HTTPConfig) access() access {
	return access{basic: c.BasicAuth, bearer: c.BearerToken, headers: c.Headers, tls: c.TLS, limit: appBodyLimit}
}

// Check finds a bad URL or pointer.
func (c *HTTPConfig) Check() []string {
	mistakes := c.access().check()
	if c.URL != "" {
		mistakes = append(mistakes, checkURL("url", c.URL)...)
	}
	for _, f := range []struct{ name, text string }{{"pointer", c.Pointer}, {"timestamp", c.Timestamp}} {
		if _, err := parseTemplate(f.text); err != nil {
			mistakes = append(mistakes, f.name+": "+err.Error())
		} else if _, err := parsePointer(f.text); err != nil {
			mistakes = append(mistakes, f.name+": "+err.Error())
		}
	}
	return mistakes
}

// ValueType is the JSON type that the signal's value has.
func (c *HTTPConfig) ValueType() string { return cmp.Or(c.Type, "number") }

type httpSensor struct {
	client                  *client
	kind                    string
	url, pointer, timestamp template
	fan                     fan
}

func newHTTP(c *HTTPConfig, env Env) (engine.Sensor, error) {
	if mistakes := c.Check(); len(mistakes) > 0 {
		return nil, errors.New(strings.Join(mistakes, "; "))
	}
	cl, err := newClient(c.access(), env)
	if err != nil {
		return nil, err
	}
	s := &httpSensor{client: cl, kind: c.ValueType(), fan: fan{timeout: c.Timeout.Duration}}
	for _, t := range []struct {
		into *template
		text string
	}{{&s.url, c.URL}, {&s.pointer, c.Pointer}, {&s.timestamp, c.Timestamp}} {
		if *t.into, err = parseTemplate(t.text); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Sample asks once for the fleet, or once for each target, each within its own time.
func (s *httpSensor) Sample(ctx context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	out := make(engine.Reading, len(fleet))
	if !s.url.particular() {
		address, err := s.url.fill(&engine.Target{}, inURL)
		if err != nil {
			return nil, err
		}
		doc, err := s.read(ctx, address)
		if err != nil {
			return nil, err
		}
		for i := range fleet {
			out[i] = s.signal(at, &fleet[i], doc)
		}
		return out, nil
	}

	var addresses []string
	var asked []int
	for i := range fleet {
		address, err := s.url.fill(&fleet[i], inURL)
		if err != nil {
			out[i] = engine.Signal{State: engine.Error, Problem: err.Error()}
			continue
		}
		addresses, asked = append(addresses, address), append(asked, i)
	}
	errs := s.fan.run(ctx, addresses, func(ctx context.Context, k int) error {
		doc, err := s.read(ctx, addresses[k])
		if err == nil {
			out[asked[k]] = s.signal(at, &fleet[asked[k]], doc)
		}
		return err
	})
	for k, err := range errs {
		if err != nil {
			out[asked[k]] = engine.Signal{State: engine.Error, Problem: err.Error()}
		}
	}
	return out, nil
}

func (s *httpSensor) read(ctx context.Context, address string) (any, error) {
	_, body, err := s.client.get(ctx, address, "application/json")
	if err != nil {
		return nil, err
	}
	var doc any
	d := json.NewDecoder(bytes.NewReader(body))
	if err = d.Decode(&doc); err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("more follows after the first value")
		}
	}
	if err != nil {
		return nil, s.client.fault(address, fmt.Errorf("the answer is not JSON: %w", err))
	}
	return doc, nil
}

func (s *httpSensor) signal(at time.Time, target *engine.Target, doc any) engine.Signal {
	value, found, err := s.find(s.pointer, target, doc)
	if err != nil {
		return engine.Signal{State: engine.Error, Problem: "pointer: " + err.Error()}
	}
	if !found {
		return engine.Signal{State: engine.Empty, Problem: "the answer has nothing there"}
	}
	if is := jsonType(value); is != s.kind {
		return engine.Signal{State: engine.Error, Problem: "the value is of type " + is + ", not " + s.kind + "; if that is meant, say so by type"}
	}
	out := engine.Signal{State: engine.OK, Value: value, At: at}
	if len(s.timestamp.parts) == 0 {
		return out
	}
	stamp, found, err := s.find(s.timestamp, target, doc)
	if err == nil && !found {
		err = errors.New("the answer has nothing there")
	}
	if err == nil {
		out.At, err = momentOf(stamp)
	}
	if err != nil {
		return engine.Signal{State: engine.Error, Problem: "timestamp: " + err.Error()}
	}
	return out
}

// jsonType is a JSON value's type, as JSON Schema names it.
func jsonType(v any) string {
	switch v.(type) {
	case float64:
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

func (s *httpSensor) find(at template, target *engine.Target, doc any) (value any, found bool, err error) {
	text, err := at.fill(target, inPointer)
	if err != nil {
		return nil, false, err
	}
	p, err := parsePointer(text)
	if err != nil {
		return nil, false, err
	}
	value, found = p.find(doc)
	return value, found && value != nil, nil
}

func momentOf(v any) (time.Time, error) {
	switch v := v.(type) {
	case float64:
		if math.Abs(v) < 1e11 { // beyond, it is in milliseconds or worse
			return time.UnixMilli(int64(math.Round(v * 1000))), nil
		}
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("is neither RFC 3339 nor seconds since 1970")
}
