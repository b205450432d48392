package manifest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const formAgent = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: NAME, namespace: mlperf}
spec:
  TARGETS
  triggers: [TRIGGER]
  sensors: [{name: SIGNAL, prometheus: {query: up}SENSOR}]
  strategies: [STRATEGY]
  primitives: [scale, webhook]
  guards: GUARDS
  SPEC
`

// formed fills in one field of the agent, as quoted text.
func formed(part, text string) string {
	defaults := []string{
		"NAME", "web", "TARGETS", "targets: {static: [{name: web}]}", "TRIGGER", "{name: tick, every: 10s}", "SIGNAL", "load", "SENSOR", "",
		"STRATEGY", "serving.autoscale", "GUARDS", "{}", "SPEC", "",
	}
	for i := 0; i < len(defaults); i += 2 {
		if defaults[i] == part {
			defaults[i+1] = text
		}
	}
	return strings.NewReplacer(defaults...).Replace(formAgent)
}

// formFields are the fields that take a form: where %s is, the value goes.
var formFields = map[string]struct{ part, text, path, sentence, wrong string }{
	"every":            {"TRIGGER", "{name: tick, every: %s}", "spec.triggers[0].every", durationForm.sentence(), "durations"},
	"jitter":           {"TRIGGER", "{name: tick, every: 10s, jitter: %s}", "spec.triggers[0].jitter", durationForm.sentence(), "durations"},
	"every and jitter": {"TRIGGER", "{name: tick, every: %[1]s, jitter: %[1]s}", "spec.triggers[0].every", durationForm.sentence(), "durations"},
	"wait":             {"TRIGGER", "{name: tick, event: {type: x}, wait: %s}", "spec.triggers[0].wait", durationForm.sentence(), "durations"},
	"staleAfter":       {"SENSOR", ", staleAfter: %s", "spec.sensors[0].staleAfter", durationForm.sentence(), "durations"},
	"timeout":          {"SENSOR", ", timeout: %s", "spec.sensors[0].timeout", durationForm.sentence(), "durations"},
	"retryFor":         {"SPEC", "retryFor: %s", "spec.retryFor", durationForm.sentence(), "durations"},
	"cooldown":         {"GUARDS", "{cooldown: {up: %s}}", "spec.guards.cooldown[up]", durationForm.sentence(), "durations"},
	"hold":             {"GUARDS", "{hold: %s}", "spec.guards.hold", durationForm.sentence(), "durations"},
	"approvalExpiry":   {"GUARDS", "{approval: [scale], approvalExpiry: %s}", "spec.guards.approvalExpiry", durationForm.sentence(), "durations"},
	"budget.per":       {"GUARDS", "{budget: {actions: 1, per: %s}}", "spec.guards.budget.per", durationForm.sentence(), "durations"},
	"fleet.per":        {"GUARDS", "{fleet: {targets: 10%%, per: %s}}", "spec.guards.fleet.per", durationForm.sentence(), "durations"},
	"fleet.targets":    {"GUARDS", "{fleet: {targets: %s, per: 1h}}", "spec.guards.fleet.targets", shareForm.sentence(), "shares"},
	"name":             {"NAME", "%s", "metadata.name", dnsPart.sentence(), "labels"},
	"target":           {"TARGETS", "targets: {static: [{name: %s}]}", "spec.targets.static[0].name", dnsParts.sentence(), "names"},
	"namespace":        {"TARGETS", "targets: {static: [{name: web, namespace: %s}]}", "spec.targets.static[0].namespace", dnsPart.sentence(), "labels"},
	"any namespace":    {"TARGETS", "targets: {apiVersion: apps/v1, kind: Deployment, namespace: %s, selector: {}}", "spec.targets.namespace", dnsPart.message + "; " + dnsFix, "labels"},
	"watched":          {"TRIGGER", "{name: w, watch: {apiVersion: v1, kind: Pod, name: %s}}", "spec.triggers[0].watch.name", dnsParts.sentence(), "names"},
	"watched field":    {"TRIGGER", "{name: w, watch: {apiVersion: v1, kind: Pod, field: %s}}", "spec.triggers[0].watch.field", watchedField.sentence(), "fields"},
	"event from":       {"TRIGGER", "{name: e, event: {type: x, from: [%s]}}", "spec.triggers[0].event.from[0]", senderName.sentence(), "senders"},
	"alert from":       {"TRIGGER", "{name: e, alert: {name: x, from: [%s]}}", "spec.triggers[0].alert.from[0]", senderName.sentence(), "senders"},
	"signal":           {"SIGNAL", "%s", "spec.sensors[0].name", signalName.sentence(), "signals"},
	"since":            {"SENSOR", ", since: %s", "spec.sensors[0].since", markName.sentence(), "signals"},
	"strategy":         {"STRATEGY", "%s", "spec.strategies[0]", strategyName.sentence(), "strategies"},
}

// wrongForms are values that do not have the form of a field.
var wrongForms = map[string][]string{
	"durations":  {"5", "1.5", "5 s", "s", "1d", "5S", "five", "1h30", "+-1s", "-5s", "1h 30m", "1e3s", "", " 5s", "5s\n", "٥s"},
	"shares":     {"x", "10 %", "%", "ten", "1.5", "-1", "0", "1.2.3%", "", "10%%", "10%\n"},
	"labels":     {"Web", "a.b", "-a", "a-", "a_b", "a b", "ü"},
	"names":      {"Web", "a..b", ".a", "a.", "a_b", "a/b", "ü"},
	"fields":     {"status..x", ".status", "status.", "status[0]", "a b", "metadata.labels.a/b"},
	"senders":    {"A", "ns/", "/a", "ns/a/b", "a_b", "ns/a.b", "-a"},
	"signals":    {"Load", "load-average", "1x", "_x", "a.b", "lo ad"},
	"strategies": {"autoscale", "serving.auto-scale", "serving.", ".autoscale", "a b.c", "1.2"},
}

// The API server and `scanflow check` refuse a wrong value by the same sentence, and never by
// a regular expression.
func TestAWrongFormIsRefusedByASentence(t *testing.T) {
	s := sampleServer(t)
	for name, field := range formFields {
		t.Run(name, func(t *testing.T) {
			for _, value := range wrongForms[field.wrong] {
				text := formed(field.part, fmt.Sprintf(field.text, fmt.Sprintf("%q", value)))
				_, refusal := s.create(t, text)
				require.NotEmpty(t, refusal, "%q is taken", value)
				_, err := ReadBytes("a.yaml", []byte(text), sampleKinds())
				require.Error(t, err, "%q is read", value)
				server := refusal
				if name == "name" { // of which Kubernetes has a rule of its own beside ours
					server = ""
				}
				for by, said := range map[string]string{"server": server, "check": err.Error()} {
					for _, code := range []string{"should match", "^", "[a-z", "rule:", "overflow", "evaluating"} {
						require.NotContains(t, said, code, "%s on %q", by, value)
					}
				}
				if value == "" { // or absent
					continue
				}
				require.Contains(t, refusal, field.path+": Invalid value: ", "%q", value)
				require.Contains(t, refusal, field.sentence, "%q", value)
				message, _, _ := strings.Cut(field.sentence, ";")
				if !strings.Contains(err.Error(), "is negative") && !strings.Contains(err.Error(), "never allow") {
					require.Contains(t, err.Error(), message, "%q", value)
				}
			}
		})
	}
}

// No field of the custom resource has a pattern: the API server would refuse by it.
func TestTheResourceHasNoPattern(t *testing.T) {
	text, err := CRD(sampleKinds())
	require.NoError(t, err)
	require.NotContains(t, string(text), "pattern:")
	require.Contains(t, string(text), durationForm.sentence())
}
