package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestTheLogHasNoDataOfEvents(t *testing.T) {
	said := map[string]any{"password": "hush"}
	for want, d := range map[string]engine.Decision{
		"data=... type=asked":      {Primitive: "event.send", With: map[string]any{"type": "asked", "data": said}},
		"type=asked":               {Primitive: "event.send", With: map[string]any{"type": "asked"}},
		"body=... url=http://a":    {Primitive: "webhook", With: map[string]any{"url": "http://a", "body": said}},
		"replicas=4":               {Primitive: "scale", With: map[string]any{"replicas": 4}},
		`data={"password":"hush"}`: {Primitive: "scale", With: map[string]any{"data": said}},
		"":                         {Primitive: "event.send"},
	} {
		require.Equal(t, want, loggedParams(&d))
	}
}
