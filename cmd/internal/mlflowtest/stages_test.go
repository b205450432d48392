package mlflowtest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	verb "github.com/scanflow-k8s/scanflow/actuators/mlflow"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// A tracker older than aliases: the stage of that name stands for one.
func TestATrackerThatHasStagesOnly(t *testing.T) {
	v := newVerbs(t)
	v.setFault(noAliases)
	v.versions("digits", 4)
	require.Equal(t, "digits: stage Production none -> 1", v.plan("model.promote", `{"model": "digits", "version": "1"}`).Diff)
	v.do("model.promote", `{"model": "digits", "version": "1"}`)
	first := v.clock.Now()
	v.do("model.promote", `{"model": "digits", "version": "4"}`)
	second := v.clock.Now()
	v.do("model.promote", `{"model": "digits", "version": "2"}`)
	require.True(t, v.plan("model.promote", `{"model": "digits", "version": "2"}`).NoOp)
	require.Empty(t, cmp.Diff(registry{
		Aliases: map[string]string{}, Stages: map[string]string{"1": "Archived", "2": "Production", "3": "None", "4": "Archived"},
		Tags: map[string]map[string]string{"1": {verb.TagArchived: rfc(first)}, "4": {verb.TagArchived: rfc(second)}},
	}, v.registry("digits")))
	require.NoError(t, v.c.TransitionStage(v.ctx(), "digits", "3", mlflow.StageArchived, false), "by hand: it was never in production")

	third := v.clock.Now()
	c := v.do("model.rollback", `{"model": "digits", "reason": "bad"}`)
	require.Equal(t, "digits: stage Production 2 -> 4, and 2 marked as rolled back", c.Diff)
	v.do("model.rollback", `{"model": "digits", "reason": "bad too"}`)
	require.Empty(t, cmp.Diff(registry{
		Aliases: map[string]string{}, Stages: map[string]string{"1": "Production", "2": "Archived", "3": "Archived", "4": "Archived"},
		Tags: map[string]map[string]string{
			"2": {verb.TagRolledBack: rfc(third), verb.TagRolledBackReason: "bad"},
			"4": {verb.TagRolledBack: rfc(v.clock.Now().Add(-1e9 * 60)), verb.TagRolledBackReason: "bad too"},
		},
	}, v.registry("digits")))
	require.ErrorIs(t, v.refused("model.rollback", `{"model": "digits"}`), verb.ErrNothingBefore)
	require.ErrorContains(t, v.refused("model.promote", `{"model": "digits", "version": "3", "alias": "champion"}`), `no stage stands for "champion": use production or staging`)
	require.ErrorContains(t, v.refused("model.promote", `{"model": "digits", "version": "3", "alias": "archived"}`), "no stage stands for")
}
