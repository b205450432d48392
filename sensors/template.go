package sensors

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// template is a text with placeholders for the fields of a target: {name}, {namespace} and
// {label:NAME}.
type template struct {
	parts []part
}

type part struct {
	literal string
	field   string // "name", "namespace", "label:NAME", or "" for a literal
}

func parseTemplate(text string) (template, error) {
	var t template
	for text != "" {
		literal, rest, found := strings.Cut(text, "{")
		if literal != "" {
			t.parts = append(t.parts, part{literal: literal})
		}
		if !found {
			break
		}
		field, after, closed := strings.Cut(rest, "}")
		label, isLabel := strings.CutPrefix(field, "label:")
		if !closed || (field != "name" && field != "namespace" && (!isLabel || label == "")) {
			return t, fmt.Errorf("{%s is not a placeholder; there are {name}, {namespace} and {label:NAME}", rest)
		}
		t.parts = append(t.parts, part{field: field})
		text = after
	}
	return t, nil
}

// perTarget reports whether the text has placeholders.
func (t template) perTarget() bool {
	for _, p := range t.parts {
		if p.field != "" {
			return true
		}
	}
	return false
}

// fill replaces the placeholders by the target's fields, each passed through escape.
func (t template) fill(target *engine.Target, escape func(string) (string, error)) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.field == "" {
			b.WriteString(p.literal)
			continue
		}
		var value string
		var found bool
		if label, ok := strings.CutPrefix(p.field, "label:"); ok {
			value, found = target.Labels[label]
		} else {
			value, found = target.Field(p.field)
		}
		if !found {
			return "", fmt.Errorf("the target has no %s", strings.Replace(p.field, ":", " ", 1))
		}
		value, err := escape(value)
		if err != nil {
			return "", fmt.Errorf("{%s}: %w", p.field, err)
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

var plainToken = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// inURL accepts only values that can't change the host, the path or the parameters of the URL
// around them. Every Kubernetes name and label value is accepted.
func inURL(value string) (string, error) {
	if !plainToken.MatchString(value) {
		return "", fmt.Errorf("%q can't stand in a URL; letters, digits, '-', '_' and '.' can", value)
	}
	return value, nil
}

// checkURL returns the mistakes in the URL of a manifest, each prefixed with the field.
func checkURL(field, text string) (mistakes mistake.Mistakes) {
	t, err := parseTemplate(text)
	if err != nil {
		return mistake.Mistakes{{Path: field, Message: err.Error()}}
	}
	example, err := t.fill(&engine.Target{Name: "x", Namespace: "x", Labels: t.exampleLabels()}, inURL)
	if err != nil {
		return mistake.Mistakes{{Path: field, Message: err.Error()}}
	}
	u, err := url.Parse(example)
	if err != nil {
		return mistake.Mistakes{{Path: field, Message: "is not a URL", Fix: "write it like http://host:9090/path"}} // url's own error quotes it, user and all
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		mistakes.Add(field, "has no scheme", "begin it with http:// or https://")
	} else if u.Host == "" {
		mistakes.Add(field, "has no host", "")
	}
	if u.User != nil {
		mistakes.Add(field, "has a user in it", "use basicAuth, with the password by reference")
	}
	return mistakes
}

func (t template) exampleLabels() map[string]string {
	out := map[string]string{}
	for _, p := range t.parts {
		if label, ok := strings.CutPrefix(p.field, "label:"); ok {
			out[label] = "x"
		}
	}
	return out
}
