package agentcr

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// FuzzAgentObject watches objects that hold anything, one after the other under one name:
// each is kept as an agent or with its mistakes, its status can be written, and one that
// shows what it should needs no write.
func FuzzAgentObject(f *testing.F) {
	good := `{"apiVersion":"scanflow.dev/v1alpha1","kind":"Agent","metadata":{"name":"a","namespace":"ns","uid":"u","generation":1,"resourceVersion":"1"},"spec":{"targets":{"static":[{"name":"web"}]},"triggers":[{"name":"tick","every":"10s"}]}`
	for _, pair := range [][2]string{
		{good + `}`, good + `,"status":{"observedGeneration":1,"conditions":[{"type":"Accepted","status":"True"}],"lastGood":{"triggers":[]}}}`},
		{good + `,"status":{"lastGood":[]}}`, good + `,"status":{"conditions":[null,{"type":1}]}}`}, {good + `,"status":"x"}`, good + `,"status":{"observedGeneration":1e100}}`},
		{good + `,"status":{"lastDecision":{"time":"9999-12-31T23:59:59Z"}}}`, good + `,"status":{"conditions":[{"type":"Running","lastTransitionTime":"0000-01-01T00:00:00Z"},{"type":"Running"}]}}`},
		{strings.Replace(good, `"1"`, `"99999999999999999999999999"`, 1) + `}`, strings.Replace(good, `"1"`, `"-1"`, 1) + `}`}, {strings.Replace(good, `"generation":1`, `"generation":"x"`, 1) + `}`, `{"metadata":{"deletionTimestamp":"x"}}`},
		{`{}`, `{"metadata":null,"spec":[]}`}, {`{"metadata":{"name":1,"namespace":[],"labels":{"a":1}},"spec":{"a":` + strings.Repeat("[", 900) + strings.Repeat("]", 900) + `}}`, `{"metadata":{"name":"a","namespace":"ns","deletionTimestamp":"2026-03-01T12:00:00Z"}}`},
	} {
		f.Add([]byte(pair[0]), []byte(pair[1]))
	}
	kinds := manifest.Kinds{Verbs: map[string]func() any{"scale": func() any { return new(struct{}) }}}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		s := newStore(kinds)
		for _, raw := range [][]byte{first, second} {
			u := &unstructured.Unstructured{}
			if json.Unmarshal(raw, &u.Object) != nil || u.Object == nil {
				return
			}
			require.NoError(t, s.Add(u))
			s.refresh(u)
			for _, found := range s.all() {
				require.NotEqual(t, found.Agent == nil, len(found.Mistakes) == 0)
				e, there := s.get(found.NamespacedName())
				require.True(t, there)
				status := Status{ObservedGeneration: found.Generation, Conditions: []manifest.Condition{{Type: manifest.Accepted, Status: "False", Reason: "Invalid", Message: found.Mistakes.Error()}}, LastGood: found.LastGoodSpec}
				patch, err := status.patch(e, now)
				require.NoError(t, err)
				require.True(t, patch == nil || json.Valid(patch))
				for _, c := range transitions(e.found.Shown, status.next(e.found.Shown, now)) {
					require.NotEmpty(t, c.reason)
				}
				e.found.Shown = status.next(e.found.Shown, now)
				patch, err = status.patch(e, now)
				require.NoError(t, err)
				require.Nil(t, patch, "it would be written again and again: %s", patch)
			}
			require.NoError(t, s.Replace([]any{u}, ""))
			require.LessOrEqual(t, len(s.all()), 1)
			require.NoError(t, s.Delete(u))
			require.Empty(t, s.all())
			require.NoError(t, s.Update(u))
		}
	})
}
