package agentcr

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

func TestEventsOfAnAgentAreChangesOfItsStatus(t *testing.T) {
	accepted := func(status, reason, message string, generation int64) manifest.Condition {
		return manifest.Condition{Type: manifest.Accepted, Status: status, Reason: reason, Message: message, ObservedGeneration: generation}
	}
	ready := func(status, reason, message string) manifest.Condition {
		return manifest.Condition{Type: manifest.Ready, Status: status, Reason: reason, Message: message}
	}
	of := func(rights []manifest.MissingRight, c ...manifest.Condition) manifest.Status {
		return manifest.Status{Conditions: c, MissingRights: rights}
	}
	good, bad := of(nil, accepted("True", "Valid", "ok", 1)), of(nil, accepted("False", "Invalid", "spec.mode: no", 2))
	patch := manifest.MissingRight{Verb: "patch", APIGroup: "apps", Resource: "deployments", Namespace: "ml", Name: "web", User: "u"}
	other := patch
	other.Name, other.User = "api", "v"
	list := manifest.MissingRight{Verb: "list", Resource: "pods", User: "u"}
	secret := manifest.MissingRight{Verb: "get", Resource: "secrets", Namespace: "ml", Name: "a", User: "u"}
	another := secret
	another.Name = "b"
	const missing, granted = "MissingRight", "RightGranted"
	at := func(generation int64, lastGood map[string]any, rights ...manifest.MissingRight) manifest.Status {
		return manifest.Status{ObservedGeneration: generation, LastGood: lastGood, MissingRights: rights}
	}
	spec := map[string]any{}
	for name, row := range map[string]struct {
		before, after manifest.Status
		want          []string // "kind reason"
	}{
		"made, and right":                     {manifest.Status{}, good, nil},
		"made, and wrong":                     {manifest.Status{}, bad, []string{"Warning Invalid"}},
		"refused":                             {good, bad, []string{"Warning Invalid"}},
		"refused still":                       {bad, bad, nil},
		"another mistake":                     {bad, of(nil, accepted("False", "Invalid", "spec.role: no", 2)), []string{"Warning Invalid"}},
		"the same mistake in another spec":    {bad, of(nil, accepted("False", "Invalid", "spec.mode: no", 3)), []string{"Warning Invalid"}},
		"accepted again":                      {bad, good, []string{"Normal Accepted"}},
		"a right is lost":                     {good, of([]manifest.MissingRight{patch}, good.Conditions...), []string{"Warning " + missing}},
		"for another object, by another user": {of([]manifest.MissingRight{patch}), of([]manifest.MissingRight{other}), nil},
		"one more":                            {of([]manifest.MissingRight{patch}), of([]manifest.MissingRight{patch, list}), []string{"Warning " + missing}},
		"mended":                              {of([]manifest.MissingRight{patch, list}), of(nil), []string{"Normal " + granted, "Normal " + granted}},
		"of an earlier spec":                  {at(1, nil, patch), at(2, nil), nil},
		"of an earlier spec, and another":     {at(1, nil, patch), at(2, nil, list), []string{"Warning " + missing}},
		"still, of another spec":              {at(1, nil, patch), at(2, nil, patch), nil},
		"of the last good spec":               {at(2, spec, patch), at(2, nil), nil},
		"mended, and the last good spec runs": {at(2, spec, patch), at(2, spec), []string{"Normal " + granted}},
		"another Secret":                      {of([]manifest.MissingRight{secret}), of([]manifest.MissingRight{another}), []string{"Warning " + missing, "Normal " + granted}},
		"a Secret is withheld":                {good, of(nil, good.Conditions[0], ready("False", ReasonSecretsWithheld, "x")), []string{"Warning SecretsWithheld"}},
		"withheld still":                      {of(nil, ready("False", ReasonSecretsWithheld, "x")), of(nil, ready("False", ReasonSecretsWithheld, "x")), nil},
		"and sent":                            {of(nil, ready("False", ReasonSecretsWithheld, "x")), of(nil, ready("True", "Running", "x")), []string{"Normal SecretsSent"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, one := range transitions(row.before, row.after) {
				require.NotEmpty(t, one.message)
				got = append(got, one.kind+" "+one.reason)
			}
			require.Equal(t, row.want, got)
		})
	}
}
