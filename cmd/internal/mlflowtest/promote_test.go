package mlflowtest

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	verb "github.com/scanflow-k8s/scanflow/actuators/mlflow"
	"github.com/scanflow-k8s/scanflow/engine"
)

func rfc(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func TestPromotionMovesTheAliasAndKeepsTheReplacedVersion(t *testing.T) {
	v := newVerbs(t)
	v.versions("digits", 3)
	first := v.plan("model.promote", `{"model": "digits", "version": "1"}`)
	require.Equal(t, "digits: production none -> 1", first.Diff)
	v.requests()
	v.plan("model.promote", `{"model": "digits", "version": "1"}`)
	for _, r := range v.requests() {
		require.Contains(t, r, "GET ", "a plan writes nothing")
	}
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "digits: production none -> 1"}, v.apply(first))
	require.Empty(t, cmp.Diff(registry{Aliases: map[string]string{"production": "1"}, Stages: none(3), Tags: map[string]map[string]string{}}, v.registry("digits")))

	v.clock.Advance(time.Hour)
	at := v.clock.Now()
	second := v.plan("model.promote", `{"model": "digits", "version": "3"}`)
	require.Equal(t, "digits: production 1 -> 3", second.Diff)
	for range 3 { // done again, it is as if it had been done once
		v.clock.Advance(time.Minute)
		require.Equal(t, engine.Done, v.apply(second).Status)
	}
	require.Empty(t, cmp.Diff(registry{
		Aliases: map[string]string{"production": "3", "previous": "1"}, Stages: none(3), Tags: map[string]map[string]string{"1": {"scanflow.archived": rfc(at)}},
	}, v.registry("digits")))
	again := v.plan("model.promote", `{"model": "digits", "version": "3"}`)
	require.True(t, again.NoOp)
	require.Equal(t, "digits: production is 3 already", again.Diff)

	v.do("model.promote", `{"model": "digits", "version": "1"}`)
	require.Equal(t, map[string]string{"production": "1", "previous": "3"}, v.registry("digits").Aliases)
	require.NotContains(t, v.registry("digits").Tags, "1", "it is no longer archived")
}

func TestPromotionUnderOtherAliases(t *testing.T) {
	v := newVerbs(t)
	v.versions("digits", 2)
	v.alias("digits", "champion", "1")
	c := v.do("model.promote", `{"model": "digits", "version": "2", "alias": "champion", "previous": "former"}`)
	require.Equal(t, "digits: champion 1 -> 2", c.Diff)
	require.Equal(t, map[string]string{"champion": "2", "former": "1"}, v.registry("digits").Aliases)
}

func TestPromotionRefuses(t *testing.T) {
	v := newVerbs(t)
	v.versions("digits", 2)
	require.NoError(t, v.c.SetVersionTag(v.ctx(), "digits", "2", verb.TagRolledBack, "2026-02-01T00:00:00Z"))
	require.ErrorContains(t, v.refused("model.promote", `{"model": "digits", "version": "9"}`), "model digits has no version 9")
	require.ErrorContains(t, v.refused("model.promote", `{"model": "letters", "version": "1"}`), "model letters has no version 1")
	require.ErrorContains(t, v.refused("model.promote", `{"model": "digits", "version": "2"}`), "was rolled back at 2026-02-01T00:00:00Z and is not put into production again; to allow it, delete its tag scanflow.rolled_back")

	v.setFault(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		pending := strings.HasSuffix(r.URL.Path, "/model-versions/get")
		if pending {
			_, _ = io.WriteString(w, `{"model_version": {"name": "digits", "version": "1", "status": "PENDING_REGISTRATION"}}`)
		}
		return pending
	})
	require.ErrorContains(t, v.refused("model.promote", `{"model": "digits", "version": "1"}`), "is PENDING_REGISTRATION, not READY")
}

// The state that the plan was based on must not have changed.
func TestPromotionLooksAgainBeforeItActs(t *testing.T) {
	v := newVerbs(t)
	v.versions("digits", 3)
	v.alias("digits", "production", "1")
	promote := v.offered["model.promote"].Actuator
	planned := v.plan("model.promote", `{"model": "digits", "version": "3"}`)

	v.alias("digits", "production", "2")
	_, err := promote.Apply(v.ctx(), planned)
	require.ErrorIs(t, err, verb.ErrMoved)
	require.ErrorContains(t, err, "digits: production 1 -> 3: production is 2 now")
	require.False(t, engine.IsRetryable(err))

	v.alias("digits", "production", "1")
	require.NoError(t, v.c.SetVersionTag(v.ctx(), "digits", "3", verb.TagRolledBack, "2026-02-01T00:00:00Z"))
	_, err = promote.Apply(v.ctx(), planned)
	require.ErrorContains(t, err, "was rolled back", "while it waited for somebody's approval, say")
	require.Equal(t, map[string]string{"production": "1"}, v.registry("digits").Aliases)
	require.Empty(t, v.published)
}

func TestPromotionIsTold(t *testing.T) {
	v := newVerbs(t)
	v.versions("digits", 2)
	v.alias("digits", "production", "1")
	promote := v.offered["model.promote"].Actuator
	c := v.plan("model.promote", `{"model": "digits", "version": "2"}`)

	v.deaf = engine.Retry(errors.New("the journal is full"))
	require.Equal(t, engine.Outcome{Status: engine.Running, Detail: "digits: production 1 -> 2, and nobody could be told yet: the journal is full"}, v.apply(c))
	require.Equal(t, "2", v.registry("digits").Aliases["production"])
	verified := func() engine.Outcome {
		t.Helper()
		out, err := promote.(engine.Verifier).Verify(v.ctx(), c)
		require.NoError(t, err)
		return out
	}
	require.Equal(t, engine.Running, verified().Status)
	v.deaf = nil
	require.Equal(t, engine.Done, verified().Status)
	v.deaf = errors.New("no agent here has a trigger for it")
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "digits: production 1 -> 2; no agent here has a trigger for it"}, verified(), "nobody wants to know, which is no failure")

	require.Empty(t, cmp.Diff([]engine.Event{{
		ID: c.Identity + "-promoted", Source: "/models/digits", Type: "dev.scanflow.model.promoted", Subject: "ns/digits", Time: v.clock.Now(), Hops: 3, Sender: "ns/executor",
		Data: map[string]any{"model": "digits", "version": "2", "previous": "1", "by": "ns/executor", "reason": "newer_is_better"},
	}}, v.published))
}
