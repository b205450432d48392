package mlflowtest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	verb "github.com/scanflow-k8s/scanflow/actuators/mlflow"
	"github.com/scanflow-k8s/scanflow/engine"
)

func TestRollbackGoesBackToWhatWasReplaced(t *testing.T) {
	v := newVerbs(t)
	v.versions("digits", 2)
	v.do("model.promote", `{"model": "digits", "version": "1"}`)
	v.do("model.promote", `{"model": "digits", "version": "2"}`)
	v.published = nil

	at := v.clock.Now()
	c := v.plan("model.rollback", `{"model": "digits", "reason": "accuracy_fell"}`)
	require.Equal(t, "digits: production 2 -> 1, and 2 marked as rolled back", c.Diff)
	for range 3 {
		require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "digits: production 2 -> 1"}, v.apply(c))
	}
	require.Empty(t, cmp.Diff(registry{
		Aliases: map[string]string{"production": "1"}, Stages: none(2),
		Tags: map[string]map[string]string{"2": {"scanflow.rolled_back": rfc(at), "scanflow.rolled_back_reason": "accuracy_fell"}},
	}, v.registry("digits")))
	require.Equal(t, engine.Event{
		ID: c.Identity + "-rolledback", Source: "/models/digits", Type: "dev.scanflow.model.rolledback", Subject: "ns/digits", Time: at, Hops: 3, Sender: "ns/executor",
		Data: map[string]any{"model": "digits", "version": "1", "previous": "2", "by": "ns/executor", "reason": "accuracy_fell"},
	}, v.published[0])

	require.ErrorContains(t, v.refused("model.promote", `{"model": "digits", "version": "2"}`), "was rolled back")
	require.ErrorIs(t, v.refused("model.rollback", `{"model": "digits"}`), verb.ErrNothingBefore, "once is all there is")
}

func TestRollbackWithoutAnythingToGoBackTo(t *testing.T) {
	v := newVerbs(t)
	v.versions("digits", 2)
	for _, row := range []struct {
		production, previous, says string
	}{
		{"", "", "no version is in production (production): there is nothing to go back to"},
		{"2", "", "no version has the alias previous: there is nothing to go back to"},
		{"2", "2", "the alias previous names version 2, which is in production: there is nothing to go back to"},
	} {
		for alias, version := range map[string]string{"production": row.production, "previous": row.previous} {
			if version != "" {
				v.alias("digits", alias, version)
			}
		}
		err := v.refused("model.rollback", `{"model": "digits"}`)
		require.ErrorContains(t, err, row.says)
		require.ErrorIs(t, err, verb.ErrNothingBefore)
	}
	v.alias("digits", "previous", "1")
	require.NoError(t, v.c.SetVersionTag(v.ctx(), "digits", "1", verb.TagRolledBack, "then"))
	require.ErrorContains(t, v.refused("model.rollback", `{"model": "digits"}`), "version 1 of model digits was rolled back")
	require.ErrorContains(t, v.refused("model.rollback", `{"model": "letters"}`), "Registered Model")
}

func TestRollbackLooksAgainBeforeItActs(t *testing.T) {
	v := newVerbs(t)
	v.versions("digits", 3)
	v.alias("digits", "previous", "1")
	v.alias("digits", "production", "2")
	c := v.plan("model.rollback", `{"model": "digits"}`)
	v.alias("digits", "production", "3")
	_, err := v.offered["model.rollback"].Actuator.Apply(v.ctx(), c)
	require.ErrorIs(t, err, verb.ErrMoved)
	require.Empty(t, v.registry("digits").Tags, "a newer version came, which is not the bad one")

	v.alias("digits", "production", "2")
	v.apply(c)
	v.alias("digits", "previous", "3") // and another act goes on from there
	v.apply(c)
	require.Equal(t, map[string]string{"production": "1", "previous": "3"}, v.registry("digits").Aliases)
}
