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

// MLflowConfig reads runs, or a version of a registered model, from an MLflow server (REST API
// 2.0). Each different query is sent once, whatever the size of the fleet: without
// placeholders there is only one.
//
// The value is a number for a metric, a sum or a count; of the declared type for a param or a
// tag; an object for a run or a model version. An object has no metrics that are NaN or
// infinite, and none of MLflow's own tags, which begin with mlflow.
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

// SecretsTo returns the address that basicAuth, bearerToken and headers are sent to; "" is the
// default server's.
func (c *MLflowConfig) SecretsTo() string { return c.URL }

func (c *MLflowConfig) access() access {
	return access{basic: c.BasicAuth, bearer: c.BearerToken, headers: c.Headers, tls: c.TLS, limit: appBodyLimit}
}

// Check returns an invalid URL, and a sensor with both of runs and model, or with none.
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

// ValueType returns the JSON type of the signal's value.
func (c *MLflowConfig) ValueType() string {
	if c.Runs != nil {
		return c.Runs.valueType()
	}
	return "object"
}

// ValueSchema returns the JSON Schema of the signal's value if that is an object.
func (c *MLflowConfig) ValueSchema() map[string]any {
	switch {
	case c.ValueType() != "object":
		return nil
	case c.Runs != nil:
		return runSchema()
	}
	return versionSchema()
}

// mlflowQuery is a sensor's query to the server.
type mlflowQuery interface {
	// arguments fills in the placeholders. Targets with equal arguments share one request.
	arguments(target *engine.Target) ([]string, error)
	// run sends the query with those arguments and returns the signal.
	run(ctx context.Context, c *mlflow.Client, at time.Time, args []string) (engine.Signal, error)
	perTarget() bool
}

type mlflowSensor struct {
	client *mlflow.Client
	auth   *client // the credentials
	query  mlflowQuery
	poller *poller
}

func newMLflow(c *MLflowConfig, env Env) (engine.Sensor, error) {
	mistakes := c.Check()
	var q mlflowQuery
	switch {
	case len(mistakes) > 0:
	case c.Runs != nil:
		q, mistakes = c.Runs.query()
	default:
		q, mistakes = c.Model.query()
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
	s := &mlflowSensor{auth: cl, query: q, poller: &poller{timeout: c.Timeout.Duration}}
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
	s.client, err = mlflow.New(mlflow.Options{URL: address, Headers: cl.mlflowHeaders(base), TLS: certificates, Timeout: c.Timeout.Duration})
	return s, err
}

// mlflowHeaders returns the headers of the requests to a server.
func (c *client) mlflowHeaders(base *url.URL) mlflow.Headers {
	return func(ctx context.Context) (plain, secret http.Header, err error) {
		return c.authHeaders((&http.Request{URL: base}).WithContext(ctx))
	}
}

// Sample sends each different query once and assigns the result to all targets that share it.
func (s *mlflowSensor) Sample(ctx context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	out := make(engine.Reading, len(fleet))
	if !s.query.perTarget() {
		one, err := s.sampleOnce(ctx, at, &engine.Target{})
		for i := range out {
			out[i] = one
		}
		return out, err
	}
	var keys []string
	var queries [][]string
	index := map[string]int{}
	queryOf := make([]int, len(fleet)) // index into queries, by target
	for i := range fleet {
		args, err := s.query.arguments(&fleet[i])
		if err != nil {
			out[i], queryOf[i] = engine.Signal{State: engine.Error, Problem: err.Error()}, -1
			continue
		}
		key := strings.Join(args, "\xff")
		k, known := index[key]
		if !known {
			k = len(keys)
			index[key], keys, queries = k, append(keys, key), append(queries, args)
		}
		queryOf[i] = k
	}
	results := make([]engine.Signal, len(keys))
	errs := s.poller.pollAll(ctx, keys, func(ctx context.Context, k int) (err error) {
		results[k], err = s.query.run(ctx, s.client, at, queries[k])
		return err
	})
	for i, k := range queryOf {
		switch {
		case k < 0:
		case errs[k] != nil:
			out[i] = engine.Signal{State: engine.Error, Problem: s.auth.secrets.redactLine(errs[k].Error())}
		default:
			out[i] = results[k]
		}
	}
	return out, nil
}

// sampleOnce returns the signal of a fleet whose targets all share one query.
func (s *mlflowSensor) sampleOnce(ctx context.Context, at time.Time, target *engine.Target) (engine.Signal, error) {
	args, err := s.query.arguments(target)
	if err != nil {
		return engine.Signal{}, err
	}
	one, err := s.query.run(ctx, s.client, at, args)
	if err != nil {
		return engine.Signal{}, s.auth.secrets.wrap("", err)
	}
	return one, nil
}

// templates are several texts with placeholders, each with the escaping of its values.
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

func (ts templates) perTarget() bool {
	for _, t := range ts {
		if t.template.perTarget() {
			return true
		}
	}
	return false
}

func (ts templates) arguments(target *engine.Target) ([]string, error) {
	out := make([]string, len(ts))
	for i, t := range ts {
		var err error
		if out[i], err = t.fill(target, t.escape); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// unescaped is for placeholders in a whole name, which need no escaping.
func unescaped(value string) (string, error) { return value, nil }

// inFilter accepts only values that can't change the filter around them.
func inFilter(value string) (string, error) {
	if !plainToken.MatchString(value) {
		return "", fmt.Errorf("%q can't stand in a filter; letters, digits, '-', '_' and '.' can", value)
	}
	return value, nil
}
