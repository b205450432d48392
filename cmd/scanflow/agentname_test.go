package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnAgentByItsNameAlone(t *testing.T) {
	all := []string{"prod/planner", "test/planner", "prod/watcher", "prod/watcher"}
	for _, c := range []struct {
		name, want, err string
		known           []string
	}{
		{"", "", "", nil}, {"some/other", "some/other", "", nil}, {"watcher", "prod/watcher", "", all},
		{"planner", "", "--agent: there are several agents planner: write one of prod/planner, test/planner", all},
		{"plan", "", "--agent: there is no agent plan; there are prod/planner, test/planner, prod/watcher, prod/watcher", all},
		{"prod", "", "--agent: there is no agent prod; ", all},
		{"any", "", "--agent: there is no agent any, nor any other", nil},
	} {
		got, err := fullAgent(t.Context(), c.name, func(context.Context) ([]string, error) { return c.known, nil })
		require.Equal(t, c.want, got, c.name)
		if c.err == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, c.err)
		}
	}
	_, err := fullAgent(t.Context(), "a", func(context.Context) ([]string, error) { return nil, errors.New("no journal") })
	require.EqualError(t, err, "no journal")
}
