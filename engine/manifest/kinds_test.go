package manifest

import (
	"net/url"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// The sample adapters stand for those of the packages sensors and actuators,
// which import this one.

type basicAuth struct {
	Username string `json:"username" required:"true" doc:"user"`
	Password Secret `json:"password" required:"true" doc:"password, by reference"`
}

type address struct {
	URL string `json:"url,omitempty" doc:"address of the server"`
}

type prometheusConfig struct {
	address
	Query string            `json:"query" required:"true" doc:"PromQL, one for the whole fleet"`
	Match map[string]string `json:"match,omitempty" doc:"label of the answer to field of the target"`
	Range *rangeConfig      `json:"range,omitempty" doc:"ask for a range"`
}

func (c *prometheusConfig) Check() mistake.Mistakes {
	var out mistake.Mistakes
	if strings.Count(c.Query, "(") != strings.Count(c.Query, ")") {
		out.Add("query", "has a bracket too few or too many", "count them")
	}
	if c.Range != nil && len(c.Match) == 0 {
		out.Add("match", "is needed with range", "")
	}
	return out
}

// ValueSchema says what a range is summed up to.
func (c *prometheusConfig) ValueSchema() map[string]any {
	if c.Range == nil {
		return nil
	}
	return map[string]any{"type": "object", "properties": map[string]any{
		"mean": map[string]any{"type": "number"}, "points": map[string]any{"type": "array", "items": map[string]any{"type": "number"}},
	}, "required": []any{"points"}, "additionalProperties": false}
}

type rangeConfig struct {
	Span Duration `json:"span" required:"true" doc:"how far back"`
	Step Duration `json:"step" required:"true" doc:"distance of two points"`
}

func (c rangeConfig) Check() mistake.Mistakes {
	if c.Step.Duration > c.Span.Duration {
		return mistake.Mistakes{{Path: "step", Message: "is longer than span", Fix: "make it shorter"}}
	}
	return nil
}

// SecretsTo returns the URL to which the headers are sent.
func (c *httpConfig) SecretsTo() string { return c.URL }

type httpConfig struct {
	URL       string            `json:"url" required:"true" doc:"address to ask"`
	Method    string            `json:"method,omitempty" enum:"GET,POST" default:"GET" doc:"how to ask"`
	Statuses  []int             `json:"statuses,omitempty" doc:"answers that count"`
	Accept    []string          `json:"accept,omitempty" enum:"json,text" doc:"forms of an answer"`
	Scale     float64           `json:"scale,omitempty" default:"1" doc:"factor"`
	Insecure  bool              `json:"insecure,omitempty" doc:"skip the check of the certificate"`
	Body      any               `json:"body,omitempty" doc:"what to send"`
	BasicAuth *basicAuth        `json:"basicAuth,omitempty" doc:"credentials"`
	Headers   map[string]Secret `json:"headers,omitempty" doc:"headers, by reference"`
	unread    int
}

func (c *httpConfig) Check() mistake.Mistakes {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return mistake.Mistakes{{Path: "url", Message: err.Error()}}
	case u.Host == "":
		return mistake.Mistakes{{Path: "url", Message: "has no host", Fix: "write it like http://HOST/PATH"}}
	}
	c.unread++ // only to have a field that no manifest sets
	return nil
}

type scaleWith struct {
	Replicas int    `json:"replicas" required:"true" doc:"how many to run"`
	Strategy string `json:"strategy,omitempty" enum:"now,slowly" doc:"how fast"`
}

type webhookWith struct {
	URL  string `json:"url" required:"true" doc:"where to send it"`
	Body any    `json:"body,omitempty" doc:"what to send, any JSON"`
}

func sampleKinds() Kinds {
	return Kinds{
		Sensors: map[string]func() any{
			"prometheus": func() any { return new(prometheusConfig) },
			"http":       func() any { return new(httpConfig) },
		},
		Verbs: map[string]func() any{
			"scale":         func() any { return new(scaleWith) },
			"traffic":       func() any { return new(struct{}) },
			"webhook":       func() any { return new(webhookWith) },
			"model.promote": func() any { return new(struct{}) },
		},
	}
}
