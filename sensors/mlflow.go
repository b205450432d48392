package sensors

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// MLflowConfig reads runs, or a version of a registered model, from an MLflow server
// (REST API 2.0). The server is asked once for each different question, whatever the
// size of the fleet: texts without placeholders are one question.
//
// The value is a number for a metric, a sum or a count; of the declared type for a
// param or a tag; an object for a run or a model version. In an object, metrics that
// are no numbers are left out, and so are the tags that begin with mlflow., which are
// MLflow's own.
type MLflowConfig struct {
	URL     string            `json:"url,omitempty" doc:"base URL of the server, instead of the one of --mlflow"`
	Runs    *MLflowRuns       `json:"runs,omitempty" doc:"reads runs of an experiment; this or model"`
	Model   *MLflowModel      `json:"model,omitempty" doc:"reads a version of a registered model; this or runs"`
	Timeout manifest.Duration `json:"timeout,omitzero" doc:"of one question; 2s if absent where there are several, and at most half the sensor's own"`

	BasicAuth   *manifest.BasicAuth `json:"basicAuth,omitempty" doc:"user and password"`
	BearerToken *manifest.Secret    `json:"bearerToken,omitempty" doc:"token sent as Authorization: Bearer"`
	Headers     manifest.Headers    `json:"headers,omitempty" doc:"headers to send, by name: a text, or a reference where it is secret, as in X-Scope-OrgID: team-a"`
	TLS         *TLS                `json:"tls,omitempty" doc:"certificates"`
}

// SecretsTo is the address that basicAuth, bearerToken and headers are sent to; "" is that of the
// process.
func (c *MLflowConfig) SecretsTo() string { return c.URL }

func (c *MLflowConfig) access() access {
	return access{basic: c.BasicAuth, bearer: c.BearerToken, headers: c.Headers, tls: c.TLS, limit: appBodyLimit}
}

// Check finds a bad URL, and a sensor that asks for both or for nothing.
func (c *MLflowConfig) Check() mistake.Mistakes {
	mistakes := c.access().check()
	if c.URL != "" {
		mistakes = append(mistakes, checkURL("url", c.URL)...)
		if strings.Contains(c.URL, "{") {
			mistakes.Add("url", "is one for the whole fleet", "leave out the placeholders")
		}
	}
	if (c.Runs == nil) == (c.Model == nil) {
		mistakes.Add("", "say what to read: one of runs and model", "")
	}
	return mistakes
}

// ValueType is the JSON type that the signal's value has.
func (c *MLflowConfig) ValueType() string {
	if c.Runs != nil {
		return c.Runs.valueType()
	}
	return "object"
}

// ValueSchema is the JSON Schema of the signal's value where that is an object.
func (c *MLflowConfig) ValueSchema() map[string]any {
	switch {
	case c.ValueType() != "object":
		return nil
	case c.Runs != nil:
		return runSchema()
	}
	return versionSchema()
}

// question is what a sensor asks of the server.
type question interface {
	// of fills the placeholders: the texts that the answer depends on.
	of(target *engine.Target) (asked []string, err error)
	// ask is the signal of everybody who asks so.
	ask(ctx context.Context, c *mlflow.Client, at time.Time, asked []string) (engine.Signal, error)
	particular() bool
}

type mlflowSensor struct {
	client   *mlflow.Client
	access   *client // has the credentials
	question question
	fan      fan
}

func newMLflow(c *MLflowConfig, env Env) (engine.Sensor, error) {
	mistakes := c.Check()
	var q question
	switch {
	case len(mistakes) > 0:
	case c.Runs != nil:
		q, mistakes = c.Runs.question()
	default:
		q, mistakes = c.Model.question()
	}
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	address := c.URL
	if address == "" {
		address = env.MLflow
	}
	if address == "" {
		return nil, errors.New("no MLflow server is known; name it under url, or start with --mlflow")
	}
	cl, err := newClient(c.access(), env)
	if err != nil {
		return nil, err
	}
	s := &mlflowSensor{access: cl, question: q, fan: fan{timeout: c.Timeout.Duration}}
	var certificates *tls.Config
	if c.TLS != nil {
		if certificates, err = c.TLS.config(); err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
	}
	base, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("url: is not a URL")
	}
	s.client, err = mlflow.New(mlflow.Options{URL: address, Headers: cl.shownTo(base), TLS: certificates, Timeout: c.Timeout.Duration})
	return s, err
}

// shownTo finds the headers that a request to a server gets.
func (c *client) shownTo(base *url.URL) mlflow.Headers {
	return func(ctx context.Context) (plain, secret http.Header, err error) {
		return c.shown((&http.Request{URL: base}).WithContext(ctx))
	}
}

// Sample asks each different question once, and gives the answer to all who ask it.
func (s *mlflowSensor) Sample(ctx context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	out := make(engine.Reading, len(fleet))
	if !s.question.particular() {
		one, err := s.answer(ctx, at, &engine.Target{})
		for i := range out {
			out[i] = one
		}
		return out, err
	}
	var keys []string
	var questions [][]string
	index := map[string]int{}
	who := make([]int, len(fleet)) // each target's question
	for i := range fleet {
		asked, err := s.question.of(&fleet[i])
		if err != nil {
			out[i], who[i] = engine.Signal{State: engine.Error, Problem: err.Error()}, -1
			continue
		}
		key := strings.Join(asked, "\xff")
		k, known := index[key]
		if !known {
			k = len(keys)
			index[key], keys, questions = k, append(keys, key), append(questions, asked)
		}
		who[i] = k
	}
	answers := make([]engine.Signal, len(keys))
	errs := s.fan.run(ctx, keys, func(ctx context.Context, k int) (err error) {
		answers[k], err = s.question.ask(ctx, s.client, at, questions[k])
		return err
	})
	for i, k := range who {
		switch {
		case k < 0:
		case errs[k] != nil:
			out[i] = engine.Signal{State: engine.Error, Problem: s.access.secrets.hide(errs[k].Error())}
		default:
			out[i] = answers[k]
		}
	}
	return out, nil
}

// answer is the signal of a fleet that asks one question.
func (s *mlflowSensor) answer(ctx context.Context, at time.Time, target *engine.Target) (engine.Signal, error) {
	asked, err := s.question.of(target)
	if err != nil {
		return engine.Signal{}, err
	}
	one, err := s.question.ask(ctx, s.client, at, asked)
	if err != nil {
		return engine.Signal{}, s.access.secrets.clean("", err)
	}
	return one, nil
}

// templates are several texts with placeholders, each with how a value is escaped.
type templates []struct {
	template
	escape func(string) (string, error)
}

func (ts *templates) add(field, text string, escape func(string) (string, error)) mistake.Mistakes {
	t, err := parseTemplate(text)
	if err != nil {
		return mistake.Mistakes{{Path: field, Message: err.Error()}}
	}
	*ts = append(*ts, struct {
		template
		escape func(string) (string, error)
	}{t, escape})
	return nil
}

func (ts templates) particular() bool {
	for _, t := range ts {
		if t.template.particular() {
			return true
		}
	}
	return false
}

func (ts templates) of(target *engine.Target) ([]string, error) {
	out := make([]string, len(ts))
	for i, t := range ts {
		var err error
		if out[i], err = t.fill(target, t.escape); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// asIs is for what stands alone, as a name.
func asIs(value string) (string, error) { return value, nil }

// inFilter lets only through what can't change the filter around it.
func inFilter(value string) (string, error) {
	if !harmless.MatchString(value) {
		return "", fmt.Errorf("%q can't stand in a filter; letters, digits, '-', '_' and '.' can", value)
	}
	return value, nil
}
