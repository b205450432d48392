package manifest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const idleAgent = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: a, namespace: ns}
spec:
  targets: {static: [{name: web}]}
  triggers: [{name: tick, every: 1s}]
  strategies: [a.b]
  primitives: [VERBS]
`

// Each value bounds nothing, or is never used: who wrote it believes otherwise.
func TestAValueWithoutEffectIsRefused(t *testing.T) {
	kinds := effectKinds()
	for name, c := range map[string]struct{ verbs, text, want string }{
		"a verb that has a direction":       {"scale", "guards: {cooldown: {scale: 1m}}", "a.yaml:9:23: spec.guards.cooldown.scale: scale has a direction, and cools down by that; write up and down in its place, like {up: 1m, down: 5m}"},
		"also beside the directions":        {"scale", "guards: {cooldown: {up: 1m, down: 1m, scale: 1m}}", "spec.guards.cooldown.scale: scale has a direction"},
		"also where the agent may not":      {"webhook", "guards: {cooldown: {scale: 1m}}", "spec.guards.cooldown.scale: scale has a direction"},
		"a direction that no verb has":      {"webhook", "guards: {cooldown: {up: 1m}}", "spec.guards.cooldown.up: is for scale, which is not in spec.primitives; add it there, or write the verb that is meant"},
		"and the other":                     {"autoscaler", "guards: {cooldown: {down: 1m}}", "spec.guards.cooldown.down: is for scale, which is not in spec.primitives"},
		"a pause for a verb that is not in": {"scale", "guards: {cooldown: {webhook: 1m}}", `spec.guards.cooldown.webhook: "webhook" is not in spec.primitives; add it there, or leave it out here`},
		"a pause of nothing":                {"webhook", "guards: {cooldown: {webhook: 0s}}", "spec.guards.cooldown.webhook: 0s is no pause; write a span like 1m, or leave it out"},
		"a pause of nothing in a direction": {"scale", "guards: {cooldown: {up: 0s}}", "spec.guards.cooldown.up: 0s is no pause"},
		"no pause in both directions":       {"scale", "guards: {cooldown: {up: 0s, down: 0s}}", "spec.guards.cooldown.down: 0s is no pause"},
		"replicas without a verb for them":  {"webhook", "guards: {replicas: {max: 3}}", "spec.guards.replicas: bounds autoscaler and scale, and neither is in spec.primitives"},
		"replicas without a bound":          {"scale", "guards: {replicas: {}}", "spec.guards.replicas: bounds nothing; write min, max, stepUp or stepDown, or leave it out"},
		"no less than none":                 {"scale", "guards: {replicas: {min: 0}}", "spec.guards.replicas: bounds nothing"},
		"a step of what takes none":         {"autoscaler", "guards: {replicas: {max: 3, stepUp: 1}}", "spec.guards.replicas.stepUp: is for scale, which is not in spec.primitives"},
		"a step down of what takes none":    {"autoscaler", "guards: {replicas: {max: 3, stepDown: 1}}", "spec.guards.replicas.stepDown: is for scale"},
		"a budget of no verb":               {"", "guards: {budget: {actions: 1, per: 1h}}", "spec.guards.budget: bounds acts, and the agent may use no verb"},
		"a fleet of no verb":                {"", "guards: {fleet: {targets: 1, per: 1h}}", "spec.guards.fleet: bounds acts, and the agent may use no verb"},
		"the whole fleet":                   {"scale", "guards: {fleet: {targets: 100%, per: 1h}}", "spec.guards.fleet.targets: is every target, which bounds nothing; write less than 100%, or leave fleet out"},
		"a hold of what writes no field":    {"webhook", "guards: {hold: 2m}", "a.yaml:9:12: spec.guards.hold: is for what acts write, and no verb in spec.primitives writes a field; add the verb that is meant there, or leave it out"},
		"a hold of a run":                   {"workflow.run", "guards: {hold: 2m}", "spec.guards.hold: is for what acts write, and no verb"},
		"a hold of nothing":                 {"", "guards: {hold: 0s}", "spec.guards.hold: is for what acts write, and no verb"},
		"a hold within the cooldown":        {"place", "guards: {hold: 2m, cooldown: {place: 2m}}", "spec.guards.hold: 2m0s is no longer than every cooldown, for which the field is held anyway; write more, or 0s for the cooldown alone"},
		"a hold within both cooldowns":      {"scale, place", "guards: {hold: 2m, cooldown: {up: 2m, down: 1h, place: 3m}}", "spec.guards.hold: 2m0s is no longer than every cooldown"},
		"a priority where nothing is held":  {"webhook", "priority: 1", "a.yaml:9:3: spec.priority: decides between agents that write one field, and no verb in spec.primitives writes one; add the verb that is meant there, or leave it out"},
		"a priority of no verb":             {"", "priority: 1", "spec.priority: decides between agents"},
		"an address twice":                  {"webhook", "guards: {urls: ['https://a/', 'https://A:443/']}", `a.yaml:9:33: spec.guards.urls[1]: "https://A:443/" is in the list already; keep one`},
		"a star in an address":              {"webhook", "guards: {urls: ['https://a/b/*']}", `spec.guards.urls[0]: "https://a/b/*" looks like a pattern, and is compared as it is; end it with the path that all have`},
		"a blank to fill in":                {"webhook", "guards: {urls: ['https://a/{team}/']}", "looks like a pattern"},
		"a range of addresses":              {"webhook", "guards: {urls: ['http://10.0.0.0/8']}", `"http://10.0.0.0/8" looks like a range of addresses, and is one address with a path`},
		"a credential twice":                {"webhook", "credentials: [{url: 'http://localhost/', bearerToken: {env: A}}, {url: 'http://localhost:80', bearerToken: {env: B}}]", "spec.credentials[1].url: is the address of credentials[0] too, and one of them is never shown"},
		"an expiry without approval":        {"scale", "guards: {approvalExpiry: 1h}", "spec.guards.approvalExpiry: is for what waits for a person, and no verb does; list the verbs in spec.guards.approval, or leave it out"},
		"a notice without approval":         {"scale", "guards: {approvalNotify: 'http://localhost/'}", "spec.guards.approvalNotify: is for what waits for a person, and no verb does"},
		"an approval of what is not in":     {"scale", "guards: {approval: [webhook]}", `spec.guards.approval[0]: "webhook" is not in spec.primitives`},
		"addresses that nothing calls":      {"scale", "guards: {urls: ['https://a/']}", "spec.guards.urls: bounds where event.send and webhook go, and neither is in spec.primitives"},
		"a credential that nothing shows":   {"scale", "credentials: [{url: 'https://a/', bearerToken: {env: A}}]", "spec.credentials[0].url: nothing shows this: neither event.send nor webhook is in spec.primitives"},
		"a credential for a bounded address": {"webhook", "guards: {urls: ['https://b/']}\n  credentials: [{url: 'https://a/', bearerToken: {env: A}}]",
			"a.yaml:10:18: spec.credentials[0].url: nothing shows this: the agent may call no address there; add the address to spec.guards.urls, or leave the credential out"},
		"a credential for another path":     {"event.send", "guards: {urls: ['https://a/b/']}\n  credentials: [{url: 'https://a/c/', bearerToken: {env: A}}]", "spec.credentials[0].url: nothing shows this"},
		"a credential for another port":     {"webhook", "guards: {urls: ['https://a/']}\n  credentials: [{url: 'https://a:8443/', bearerToken: {env: A}}]", "spec.credentials[0].url: nothing shows this"},
		"a credential for another scheme":   {"webhook", "guards: {urls: ['https://a/']}\n  credentials: [{url: 'http://a/', bearerToken: {env: A}}]", "spec.credentials[0].url: nothing shows this"},
		"a credential without urls":         {"webhook", "credentials: [{url: 'https://hooks.example.com/', bearerToken: {env: A}}]", "spec.credentials[0].url: nothing shows this: the agent may call no address there"},
		"a credential where nothing may be": {"webhook", "guards: {urls: []}\n  credentials: [{url: 'http://localhost/', bearerToken: {env: A}}]", "spec.credentials[0].url: nothing shows this"},
		"a credential beside the notice":    {"scale", "guards: {approval: [scale], approvalNotify: 'https://a/x', urls: ['https://a/']}\n  credentials: [{url: 'https://a/y', bearerToken: {env: A}}]", "spec.credentials[0].url: nothing shows this"},
		"two credentials of one address":    {"webhook", "guards: {urls: ['https://a/']}\n  credentials: [{url: 'https://a/', bearerToken: {env: A}}, {url: 'https://a/', bearerToken: {env: B}}]", "a.yaml:10:62: spec.credentials[1].url: is the address of credentials[0] too, and one of them is never shown; leave one out, or give each the path that it is for"},
		"also in two spellings":             {"webhook", "guards: {urls: ['https://a/']}\n  credentials: [{url: 'https://a/b', bearerToken: {env: A}}, {url: 'https://A:443/b/', bearerToken: {env: B}}]", "spec.credentials[1].url: is the address of credentials[0] too"},
		"also of the tracker":               {"run.tag", "credentials: [{url: 'https://a/', bearerToken: {env: A}}, {url: 'https://a', headers: {X-A: b}}]", "spec.credentials[1].url: is the address of credentials[0] too"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadBytes("a.yaml", []byte(strings.ReplaceAll(idleAgent, "VERBS", c.verbs)+"  "+c.text+"\n"), kinds)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestAValueWithAnEffectIsTaken(t *testing.T) {
	kinds := effectKinds()
	for name, c := range map[string]struct{ verbs, text string }{
		"both directions":                 {"scale", "guards: {cooldown: {up: 1m, down: 5m}}"},
		"no pause in one direction":       {"scale", "guards: {cooldown: {up: 0s, down: 5m}}"},
		"a hold":                          {"scale", "guards: {hold: 2m}"},
		"no hold":                         {"scale, webhook", "guards: {hold: 0s, cooldown: {up: 1m, down: 5m}}"},
		"a hold beyond one cooldown":      {"scale", "guards: {hold: 2m, cooldown: {up: 0s, down: 5m}}"},
		"a hold of one verb of two":       {"scale, place", "guards: {hold: 2m, cooldown: {up: 5m, down: 5m}}"},
		"a priority":                      {"scale", "priority: -1000"},
		"a priority of runs":              {"workflow.run", "priority: 1000"},
		"a verb without a direction":      {"autoscaler", "guards: {cooldown: {autoscaler: 1m}}"},
		"the bounds of an autoscaler":     {"autoscaler", "guards: {replicas: {max: 3}}"},
		"a step alone":                    {"scale", "guards: {replicas: {stepUp: 1}}"},
		"addresses of a notice":           {"scale", "guards: {approval: [scale], approvalExpiry: 1h, approvalNotify: 'https://a/x', urls: ['https://a/']}"},
		"what a cluster writes by itself": {"scale", "guards: {approvalExpiry: 24h}"},
		"addresses of events":             {"event.send", "guards: {urls: ['https://a/']}"},
		"a credential of a part":          {"webhook", "guards: {urls: ['https://a/']}\n  credentials: [{url: 'https://a/b/', bearerToken: {env: A}}]"},
		"a credential of more":            {"webhook", "guards: {urls: ['https://a/b/']}\n  credentials: [{url: 'https://a/', bearerToken: {env: A}}]"},
		"a credential on this machine":    {"webhook", "credentials: [{url: 'http://localhost:8080/', bearerToken: {env: A}}]"},
		"a credential in the cluster":     {"webhook", "credentials: [{url: 'http://hook.ns.svc/', bearerToken: {env: A}}]"},
		"a credential of the notice":      {"scale", "guards: {approval: [scale], approvalNotify: 'https://a/x/y', urls: ['https://a/']}\n  credentials: [{url: 'https://a/x', bearerToken: {env: A}}]"},
		"credentials within each other":   {"webhook", "guards: {urls: ['https://a/']}\n  credentials: [{url: 'https://a/', bearerToken: {env: A}}, {url: 'https://a/b', bearerToken: {env: B}}]"},
		"a credential of the tracker":     {"run.tag", "credentials: [{url: 'https://tracker.example.com/', bearerToken: {env: A}}]"},
		"addresses beside each other":     {"webhook", "guards: {urls: ['https://a/b', 'https://a/bc', 'https://a:444/', 'http://a/', 'http://10.0.0.1/x']}"},
		"no address":                      {"webhook", "guards: {urls: []}"},
		"a credential of the whole host":  {"webhook", "guards: {urls: ['https://a/b/']}\n  credentials: [{url: 'https://a/', bearerToken: {env: A}}]"},
		"a credential of a cluster":       {"webhook", "credentials: [{url: 'http://x.ns.svc/', bearerToken: {env: A}}]"},
		"credentials of parts":            {"webhook", "credentials: [{url: 'http://localhost/', bearerToken: {env: A}}, {url: 'http://localhost/a', bearerToken: {env: B}}]"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadBytes("a.yaml", []byte(strings.ReplaceAll(idleAgent, "VERBS", c.verbs)+"  "+c.text+"\n"), kinds)
			require.NoError(t, err)
		})
	}
}

func effectKinds() Kinds {
	verbs := map[string]func() any{}
	for _, list := range [][]string{DirectedVerbs, ReplicaVerbs, FieldVerbs, RunVerbs, URLVerbs, TrackerVerbs} {
		for _, verb := range list {
			verbs[verb] = func() any { return new(struct{}) }
		}
	}
	return Kinds{Verbs: verbs}
}

// Fields without an effect, which may be meant for later or for a larger fleet, are accepted with
// a warning.
func TestWhatIsIdleIsSaid(t *testing.T) {
	const one, three, selected = "{static: [{name: web}]}", "{static: [{name: a}, {name: b}, {name: c}]}", "{apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {}}}"
	for name, c := range map[string]struct{ targets, verbs, text, want string }{
		"all of three":                   {three, "scale", "guards: {fleet: {targets: 3, per: 1h}}", "a.yaml:9:29: spec.guards.fleet.targets: is every target, which bounds nothing: there are 3; write less, or leave fleet out"},
		"more than three":                {three, "scale", "guards: {fleet: {targets: 9, per: 1h}}", "is every target"},
		"a share of one":                 {one, "scale", "guards: {fleet: {targets: 50%, per: 1h}}", "bounds nothing: there is one target, and one is always allowed"},
		"an address below another":       {one, "webhook", "guards: {urls: ['https://a/b/', 'https://a/']}", `spec.guards.urls[0]: "https://a/b/" is allowed by "https://a/" already; keep the one that is meant`},
		"two of three":                   {three, "scale", "guards: {fleet: {targets: 2, per: 1h}}", ""},
		"a share of three":               {three, "scale", "guards: {fleet: {targets: 99%, per: 1h}}", ""},
		"of who knows":                   {selected, "scale", "guards: {fleet: {targets: 9, per: 1h}}", ""},
		"addresses beside each other":    {one, "webhook", "guards: {urls: ['https://a/b', 'https://a/bc', 'https://a:444/', 'http://a/', 'http://10.0.0.1/x']}", ""},
		"a credential of the whole host": {one, "webhook", "guards: {urls: ['https://a/b/']}\n  credentials: [{url: 'https://a/', bearerToken: {env: A}}]", ""},
		"a credential of a cluster":      {one, "webhook", "credentials: [{url: 'http://x.ns.svc/', bearerToken: {env: A}}]", ""},
		"a credential of the tracker":    {one, "run.tag", "credentials: [{url: 'https://tracker.example.com/', bearerToken: {env: A}}]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.NewReplacer("VERBS", c.verbs, one, c.targets).Replace(idleAgent)
			agents, err := ReadBytes("a.yaml", []byte(text+"  "+c.text+"\n"), effectKinds())
			require.NoError(t, err)
			var said []string
			for _, m := range agents[0].Ineffective() {
				said = append(said, m.Error())
			}
			if c.want == "" {
				require.Empty(t, said)
				return
			}
			require.Len(t, said, 1)
			require.Contains(t, said[0], c.want)
		})
	}
}
