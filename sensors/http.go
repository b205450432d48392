package sensors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// HTTPConfig reads a value from a JSON response.
//
// The value is a number, or of the type that the manifest declares. Any other type is an
// error, because Rego compares values of different types: "50" > 1000 is true there. If the
// value is missing or null, the signal is empty.
type HTTPConfig struct {
	URL       string            `json:"url" required:"true" doc:"address to GET, with {name}, {namespace} and {label:NAME}; without any of them it is asked once for the whole fleet"`
	Pointer   string            `json:"pointer,omitempty" doc:"JSON Pointer (RFC 6901) to the value, with the same placeholders; the whole answer if absent"`
	Type      string            `json:"type,omitempty" default:"number" enum:"number,number-text,string,boolean,array,object" doc:"what the value must be; anything else is an error. number-text is a number in quotes, and a number to policies"`
	Timestamp string            `json:"timestamp,omitempty" doc:"JSON Pointer to when the value was measured: RFC 3339, or seconds since 1970; else it is as of now"`
	Unit      string            `json:"timestampUnit,omitempty" enum:"s,ms,us,ns" doc:"with timestamp: it is a number of these since 1970, in quotes or not, and no RFC 3339"`
	Timeout   manifest.Duration `json:"timeout,omitzero" doc:"of one request; 2s if absent, and at most half the sensor's own"`

	BasicAuth   *manifest.BasicAuth `json:"basicAuth,omitempty" doc:"user and password"`
	BearerToken *manifest.Secret    `json:"bearerToken,omitempty" doc:"token sent as Authorization: Bearer"`
	Headers     manifest.Headers    `json:"headers,omitempty" doc:"headers to send, by name: a text, or a reference where it is secret, as in X-Scope-OrgID: team-a"`
	TLS         *TLS                `json:"tls,omitempty" doc:"certificates"`
}

// SecretsTo returns the address that basicAuth, bearerToken and headers are sent to.
func (c *HTTPConfig) SecretsTo() string { return c.URL }

func (c *HTTPConfig) access() access {
	return access{basic: c.BasicAuth, bearer: c.BearerToken, headers: c.Headers, tls: c.TLS, limit: appBodyLimit}
}

// Check returns an invalid URL, pointer or unit.
func (c *HTTPConfig) Check() mistake.Mistakes {
	mistakes := c.access().check()
	if c.URL != "" {
		mistakes = append(mistakes, checkURL("url", c.URL)...)
	}
	for _, f := range []struct{ name, text string }{{"pointer", c.Pointer}, {"timestamp", c.Timestamp}} {
		if _, err := parseTemplate(f.text); err != nil {
			mistakes.Add(f.name, err.Error(), "")
		} else if _, err := parsePointer(f.text); err != nil {
			mistakes.Add(f.name, err.Error(), "")
		}
	}
	if c.Unit != "" && c.Timestamp == "" {
		mistakes.Add("timestampUnit", "goes with timestamp", "add that, or leave it out")
	}
	return mistakes
}

// ValueType returns the JSON type of the signal's value.
func (c *HTTPConfig) ValueType() string {
	if c.Type == numberText {
		return "number"
	}
	return cmp.Or(c.Type, "number")
}

type httpSensor struct {
	client                  *client
	kind, unit              string
	url, pointer, timestamp template
	poller                  *poller
}

func newHTTP(c *HTTPConfig, env Env) (engine.Sensor, error) {
	if err := c.Check().Err(); err != nil {
		return nil, err
	}
	cl, err := newClient(c.access(), env)
	if err != nil {
		return nil, err
	}
	s := &httpSensor{client: cl, kind: cmp.Or(c.Type, "number"), unit: c.Unit, poller: &poller{timeout: c.Timeout.Duration}}
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

// Sample sends one request for the fleet, or one for each target if the URL has placeholders,
// each with its own timeout.
func (s *httpSensor) Sample(ctx context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	out := make(engine.Reading, len(fleet))
	if !s.url.perTarget() {
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
	var targets []int // indexes into fleet, by address
	for i := range fleet {
		address, err := s.url.fill(&fleet[i], inURL)
		if err != nil {
			out[i] = engine.Signal{State: engine.Error, Problem: err.Error()}
			continue
		}
		addresses, targets = append(addresses, address), append(targets, i)
	}
	errs := s.poller.pollAll(ctx, addresses, func(ctx context.Context, k int) error {
		doc, err := s.read(ctx, addresses[k])
		if err == nil {
			out[targets[k]] = s.signal(at, &fleet[targets[k]], doc)
		}
		return err
	})
	for k, err := range errs {
		if err != nil {
			out[targets[k]] = engine.Signal{State: engine.Error, Problem: err.Error()}
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
	if err = jsonvalue.Unmarshal(body, &doc); err != nil {
		return nil, s.client.bodyError(address, fmt.Errorf("the answer is not JSON: %w", err))
	}
	return doc, nil
}

func (s *httpSensor) signal(at time.Time, target *engine.Target, doc any) engine.Signal {
	out := s.parse(at, target, doc)
	out.Problem = s.client.secrets.redact(out.Problem)
	return out
}

// parse extracts the value and its timestamp from a response.
func (s *httpSensor) parse(at time.Time, target *engine.Target, doc any) engine.Signal {
	value, found, err := s.find(s.pointer, target, doc)
	if err != nil {
		return engine.Signal{State: engine.Error, Problem: "pointer: " + err.Error()}
	}
	if !found {
		return engine.Signal{State: engine.Empty, Problem: "the answer has nothing there"}
	}
	value, err = typedValue(value, s.kind)
	if err != nil {
		return engine.Signal{State: engine.Error, Problem: err.Error()}
	}
	out := finiteSignal(engine.Signal{State: engine.OK, Value: value, At: at}, "the value")
	if len(s.timestamp.parts) == 0 || out.State != engine.OK {
		return out
	}
	stamp, found, err := s.find(s.timestamp, target, doc)
	if err == nil && !found {
		err = errors.New("the answer has nothing there")
	}
	if err == nil {
		out.At, err = parseTimestamp(stamp, s.unit)
	}
	if err != nil {
		return engine.Signal{State: engine.Error, Problem: "timestamp: " + err.Error()}
	}
	return out
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
