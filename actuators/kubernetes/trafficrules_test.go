package kubernetes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// routeRow is a route as people write it, with what `traffic` makes of it.
type routeRow struct {
	rules   string // of spec.rules, or spec.http
	rule    string // the parameter
	weights map[string]any
	want    map[int]string // the weights of the rules that change, by index
	refused []string       // instead
}

var even = map[string]any{"v1": 1.0, "v2": 1.0}

var httpRouteRows = map[string]routeRow{
	"one rule": {rules: `
  - backendRefs: [{name: v1, port: 80, weight: 90}, {name: v2, port: 80, weight: 10}]`,
		weights: even, want: map[int]string{0: "v1 1, v2 1"}},
	"a rule for testers, by a header, first": {rules: `
  - matches: [{headers: [{name: x-tester, value: "true"}]}]
    backendRefs: [{name: v1, port: 80, weight: 0}, {name: v2, port: 80, weight: 100}]
  - backendRefs: [{name: v1, port: 80, weight: 100}, {name: v2, port: 80, weight: 0}]`,
		weights: even, want: map[int]string{1: "v1 1, v2 1"}},
	"the rule for testers, by its name": {rules: `
  - name: testers
    matches: [{headers: [{name: x-tester, value: "true"}]}]
    backendRefs: [{name: v1, port: 80, weight: 0}, {name: v2, port: 80, weight: 100}]
  - backendRefs: [{name: v1, port: 80, weight: 100}, {name: v2, port: 80, weight: 0}]`,
		rule: "testers", weights: even, want: map[int]string{0: "v1 1, v2 1"}},
	"testers by a cookie beside a path, in one of two matches": {rules: `
  - matches:
    - {path: {type: PathPrefix, value: /}}
    - {headers: [{type: RegularExpression, name: cookie, value: ".*beta=1.*"}]}
    backendRefs: [{name: v1, port: 80}, {name: v2, port: 80}]`,
		weights: even, refused: []string{"has these backends only in a rule for some of the requests: spec.rules[0] (v1, v2; matches headers)", "give it a name (spec.rules[0].name), and write that in rule"}},
	"by query parameter": {rules: `
  - name: preview
    matches: [{queryParams: [{name: preview, value: "1"}]}]
    backendRefs: [{name: v1, port: 80, weight: 0}, {name: v2, port: 80}]
  - name: all
    backendRefs: [{name: v1, port: 80}, {name: v2, port: 80, weight: 0}]`,
		weights: even, want: map[int]string{1: "v1 1, v2 1"}},
	"by method": {rules: `
  - name: writes
    matches: [{method: POST, path: {type: PathPrefix, value: /v2}}]
    backendRefs: [{name: v1, port: 80}, {name: v2, port: 80, weight: 0}]`,
		weights: even, refused: []string{"spec.rules[0] writes (v1, v2; matches method); write the one meant in rule: writes"}},
	"paths that share alike": {rules: `
  - matches: [{path: {type: PathPrefix, value: /predict}}]
    timeouts: {request: 2s}
    backendRefs: [{name: v1, port: 80, weight: 9}, {name: v2, port: 80, weight: 1}]
  - matches: [{path: {type: PathPrefix, value: /admin}}]
    backendRefs: [{name: admin, port: 80}]
  - matches: [{path: {type: PathPrefix, value: /batch}}]
    backendRefs: [{name: v2, port: 80, weight: 10}, {name: v1, port: 80, weight: 90}]`,
		weights: map[string]any{"v1": 1.0, "v2": 3.0}, want: map[int]string{0: "v1 1, v2 3", 2: "v2 3, v1 1"}},
	"paths that share differently": {rules: `
  - {name: online, matches: [{path: {value: /predict}}], backendRefs: [{name: v1, port: 80, weight: 9}, {name: v2, port: 80, weight: 1}]}
  - {name: batch, matches: [{path: {value: /batch}}], backendRefs: [{name: v1, port: 80}, {name: v2, port: 80}]}`,
		weights: even, refused: []string{"has 2 rules with these backends, and they share requests differently: spec.rules[0] online (v1, v2); spec.rules[1] batch (v1, v2); write the one meant in rule: online or batch, or give them the same weights"}},
	"one of two paths, by its name": {rules: `
  - {name: online, matches: [{path: {value: /predict}}], backendRefs: [{name: v1, port: 80, weight: 9}, {name: v2, port: 80, weight: 1}]}
  - {name: batch, matches: [{path: {value: /batch}}], backendRefs: [{name: v1, port: 80}, {name: v2, port: 80}]}`,
		rule: "online", weights: even, want: map[int]string{0: "v1 1, v2 1"}},
	"a third backend": {rules: `
  - backendRefs: [{name: v1, port: 80}, {name: v2, port: 80}, {name: old, port: 80, weight: 2}]`,
		weights: even, refused: []string{"has no rule with exactly these backends; it has spec.rules[0] (v1, v2, old); name each backend of the rule in weights, with 0 for one that gets nothing, or to choose one give it a name (spec.rules[0].name), and write that in rule"}},
	"a third backend that is named with nothing": {rules: `
  - backendRefs: [{name: v1, port: 80}, {name: v2, port: 80}, {name: old, port: 80, weight: 2}]`,
		weights: map[string]any{"v1": 1.0, "v2": 2.0, "old": 0.0}, want: map[int]string{0: "v1 1, v2 2, old 0"}},
	"a third backend of a rule that is named": {rules: `
  - name: all
    backendRefs: [{name: v1, port: 80}, {name: v2, port: 80}, {name: old, port: 80, weight: 2}]`,
		rule: "all", weights: even, want: map[int]string{0: "v1 1, v2 1, old 0"}},
	"a redirect and a mirror": {rules: `
  - matches: [{path: {type: Exact, value: /old}}]
    filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: /new}, statusCode: 301}}]
  - filters:
    - {type: RequestMirror, requestMirror: {backendRef: {name: shadow, port: 80}}}
    - {type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /v2}}}
    - {type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: x-served-by, value: digits}]}}
    backendRefs: [{name: v1, port: 80, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: b}]}}]}, {name: v2, port: 80}]`,
		weights: map[string]any{"v1": 3.0, "v2": 1.0}, want: map[int]string{1: "v1 3, v2 1"}},
	"what a mirror gets has no weight": {rules: `
  - filters: [{type: RequestMirror, requestMirror: {backendRef: {name: v2, port: 80}}}]
    backendRefs: [{name: v1, port: 80}]`,
		weights: even, refused: []string{"has no such backend: v2; it has: v1"}},
	"a backend of another kind": {rules: `
  - backendRefs: [{group: inference.networking.k8s.io, kind: InferencePool, name: v1}, {group: inference.networking.k8s.io, kind: InferencePool, name: v2}]`,
		weights: map[string]any{"v1": 9.0, "v2": 1.0}, want: map[int]string{0: "v1 9, v2 1"}},
	"a backend twice": {rules: `
  - backendRefs: [{name: v1, port: 80}, {name: v1, port: 81}, {name: v2, port: 80}]`,
		weights: even, refused: []string{"has the backend v1 twice in spec.rules[0]"}},
	"backends of two rules": {rules: `
  - {matches: [{path: {value: /a}}], backendRefs: [{name: v1, port: 80}]}
  - {matches: [{path: {value: /b}}], backendRefs: [{name: v2, port: 80}]}`,
		weights: even, refused: []string{"has no one rule with all of these backends; it has spec.rules[0] (v1); spec.rules[1] (v2)"}},
	"no such rule": {rules: `
  - {name: online, backendRefs: [{name: v1, port: 80}, {name: v2, port: 80}]}`,
		rule: "onlin", weights: even, refused: []string{`has no rule "onlin"; it has spec.rules[0] online (v1, v2)`}},
	"two rules of one name": {rules: `
  - {name: a, matches: [{path: {value: /a}}], backendRefs: [{name: v1, port: 80}, {name: v2, port: 80}]}
  - {name: a, matches: [{path: {value: /b}}], backendRefs: [{name: v1, port: 80}, {name: v2, port: 80}]}`,
		rule: "a", weights: even, refused: []string{`has 2 rules of the name "a": spec.rules[0] and spec.rules[1]`}},
	"another rule's backend": {rules: `
  - {name: a, matches: [{path: {value: /a}}], backendRefs: [{name: v1, port: 80}, {name: v3, port: 80}]}
  - {name: b, backendRefs: [{name: v1, port: 80}, {name: v2, port: 80}]}`,
		rule: "a", weights: even, refused: []string{`rule "a" has no such backend: v2; it has: v1, v3`}},
}

var virtualServiceRows = map[string]routeRow{
	"subsets of one host": {rules: `
  - route: [{destination: {host: v, subset: a}, weight: 90}, {destination: {host: v, subset: b}, weight: 10}]`,
		weights: map[string]any{"v/a": 1.0, "v/b": 1.0}, want: map[int]string{0: "v/a 50, v/b 50"}},
	"testers by a header": {rules: `
  - match: [{headers: {end-user: {exact: jason}}}]
    route: [{destination: {host: v1}, weight: 0}, {destination: {host: v2}, weight: 100}]
  - route: [{destination: {host: v1}, weight: 100}, {destination: {host: v2}, weight: 0}]`,
		weights: even, want: map[int]string{1: "v1 50, v2 50"}},
	"testers by a header, as few do it: the one backend": {rules: `
  - match: [{headers: {x-canary: {exact: "true"}}}]
    route: [{destination: {host: v2}}]
  - route: [{destination: {host: v1}, weight: 95}, {destination: {host: v2}, weight: 5}]`,
		weights: even, want: map[int]string{1: "v1 50, v2 50"}},
	"all but those with a header": {rules: `
  - match: [{withoutHeaders: {x-internal: {exact: "1"}}}]
    route: [{destination: {host: v1}, weight: 95}, {destination: {host: v2}, weight: 5}]`,
		weights: even, refused: []string{"spec.http[0] (v1, v2; matches withoutHeaders)", "give it a name (spec.http[0].name)"}},
	"callers by their labels": {rules: `
  - name: from-tests
    match: [{sourceLabels: {app: load-test}, sourceNamespace: qa}]
    route: [{destination: {host: v1}, weight: 0}, {destination: {host: v2}, weight: 100}]
  - name: from-all
    route: [{destination: {host: v1}, weight: 100}, {destination: {host: v2}, weight: 0}]`,
		weights: even, want: map[int]string{1: "v1 50, v2 50"}},
	"the callers' rule, by its name": {rules: `
  - name: from-tests
    match: [{sourceLabels: {app: load-test}, sourceNamespace: qa}]
    route: [{destination: {host: v1}, weight: 0}, {destination: {host: v2}, weight: 100}]
  - name: from-all
    route: [{destination: {host: v1}, weight: 100}, {destination: {host: v2}, weight: 0}]`,
		rule: "from-tests", weights: even, want: map[int]string{0: "v1 50, v2 50"}},
	"by host name and query": {rules: `
  - match: [{authority: {exact: beta.example.com}}, {queryParams: {beta: {exact: "1"}}}]
    route: [{destination: {host: v1}, weight: 0}, {destination: {host: v2}, weight: 100}]`,
		weights: even, refused: []string{"matches authority, queryParams"}},
	"paths and gateways that share alike": {rules: `
  - match: [{uri: {prefix: /predict}, ignoreUriCase: true, gateways: [mesh], port: 8080}]
    route: [{destination: {host: v1}, weight: 80}, {destination: {host: v2}, weight: 20}]
    retries: {attempts: 2, perTryTimeout: 1s}
  - match: [{uri: {regex: "/v1/models/.*"}, gateways: [front]}, {uri: {exact: /health}}]
    route: [{destination: {host: v1, port: {number: 80}}, weight: 80}, {destination: {host: v2, port: {number: 80}}, weight: 20, headers: {response: {add: {v: "2"}}}}]`,
		weights: map[string]any{"v1": 2.0, "v2": 1.0}, want: map[int]string{0: "v1 67, v2 33", 1: "v1 67, v2 33"}},
	"paths that share differently": {rules: `
  - {match: [{uri: {prefix: /predict}}], route: [{destination: {host: v1}, weight: 80}, {destination: {host: v2}, weight: 20}]}
  - {name: rest, route: [{destination: {host: v1}, weight: 100}, {destination: {host: v2}, weight: 0}]}`,
		weights: even, refused: []string{"has 2 rules with these backends, and they share requests differently: spec.http[0] (v1, v2); spec.http[1] rest (v1, v2); write the one meant in rule: rest, or a name that you give it (spec.http[0].name)"}},
	"mirrors, faults and a redirect": {rules: `
  - match: [{uri: {exact: /old}}]
    redirect: {uri: /new, redirectCode: 301}
  - match: [{uri: {exact: /gone}}]
    directResponse: {status: 410}
  - route: [{destination: {host: v1}, weight: 100}, {destination: {host: v2}, weight: 0}]
    mirrors: [{destination: {host: shadow}, percentage: {value: 10}}]
    fault: {delay: {percentage: {value: 0.1}, fixedDelay: 5s}}
    rewrite: {uri: /}
    timeout: 5s`,
		weights: map[string]any{"v1": 9.0, "v2": 1.0}, want: map[int]string{2: "v1 90, v2 10"}},
	"a rule of another VirtualService": {rules: `
  - name: delegated
    match: [{uri: {prefix: /team}}]
    delegate: {name: team, namespace: other}
  - route: [{destination: {host: v1}}, {destination: {host: v2}, weight: 100}]`,
		rule: "delegated", weights: even, refused: []string{`rule "delegated" has no such backend: v1, v2; it has: none`}},
	"a third destination": {rules: `
  - name: main
    route: [{destination: {host: v1}, weight: 60}, {destination: {host: v2}, weight: 30}, {destination: {host: v3}, weight: 10}]`,
		weights: even, refused: []string{"it has spec.http[0] main (v1, v2, v3); name each backend of the rule in weights, with 0 for one that gets nothing, or write the one meant in rule: main"}},
	"three destinations add up to 100": {rules: `
  - route: [{destination: {host: v1}, weight: 60}, {destination: {host: v2}, weight: 30}, {destination: {host: v3}, weight: 10}]`,
		weights: map[string]any{"v1": 1.0, "v2": 1.0, "v3": 1.0}, want: map[int]string{0: "v1 34, v2 33, v3 33"}},
	"a short host is another name": {rules: `
  - route: [{destination: {host: v1.models.svc.cluster.local}, weight: 60}, {destination: {host: v2.models.svc.cluster.local}, weight: 40}]`,
		weights: even, refused: []string{"has no such backend: v1, v2; it has: v1.models.svc.cluster.local, v2.models.svc.cluster.local"}},
	"two ports of a host": {rules: `
  - route: [{destination: {host: v1, port: {number: 80}}, weight: 50}, {destination: {host: v1, port: {number: 81}}, weight: 50}]`,
		weights: map[string]any{"v1": 1.0}, refused: []string{"has the backend v1 twice in spec.http[0]"}},
	"a match that is not known yet": {rules: `
  - match: [{uri: {prefix: /}, jwtClaims: {group: beta}}]
    route: [{destination: {host: v1}, weight: 50}, {destination: {host: v2}, weight: 50}]`,
		weights: even, refused: []string{"matches jwtClaims"}},
}

func TestWhichRuleGetsTheWeights(t *testing.T) {
	b, target := trafficBench(t)
	verb := trafficVerb{b.Cluster}
	for kind, k := range map[string]struct {
		version, head, list string
		rows                map[string]routeRow
		weights             func(rule map[string]any) string
	}{
		"HTTPRoute": {gatewayVersion, "parentRefs: [{name: front}]", "rules", httpRouteRows, func(rule map[string]any) string {
			return weightsText(rule, "backendRefs", func(ref map[string]any) string { return fieldpath.Text(ref, "name") })
		}},
		"VirtualService": {"networking.istio.io/v1", "hosts: [digits]", "http", virtualServiceRows, func(rule map[string]any) string {
			return weightsText(rule, "route", func(d map[string]any) string {
				return strings.TrimSuffix(fieldpath.Text(d, "destination", "host")+"/"+fieldpath.Text(d, "destination", "subset"), "/")
			})
		}},
	} {
		for name, row := range k.rows {
			t.Run(kind+"/"+name, func(t *testing.T) {
				made := b.create(t, "helm", fmt.Sprintf("\napiVersion: %s\nkind: %s\nmetadata: {name: digits}\nspec:\n  %s\n  %s:%s\n", k.version, kind, k.head, k.list, row.rules))
				defer func() {
					require.NoError(t, b.on(t, k.version, kind).Delete(testContext(t), "digits", metav1.DeleteOptions{}))
				}()
				with := shares(kind, row.weights)
				if row.rule != "" {
					with["rule"] = row.rule
				}
				p := proposal("traffic", target, with)
				if row.refused != nil {
					_, err := verb.Plan(testContext(t), p)
					for _, want := range row.refused {
						require.ErrorContains(t, err, want)
					}
					require.ErrorContains(t, err, kind+" "+b.ns+"/digits ")
					require.False(t, engine.IsRetryable(err))
					return
				}
				change := done(t, verb, p)
				now := b.read(t, k.version, kind, "digits")
				after := fieldpath.Maps(now.Object, "spec", k.list)
				for i, rule := range fieldpath.Maps(made.Object, "spec", k.list) {
					if want, changes := row.want[i]; changes {
						require.Equal(t, want, k.weights(after[i]))
						if len(after) > 1 {
							require.Contains(t, change.Diff, fmt.Sprintf("spec.%s[%d]", k.list, i))
						}
					} else {
						require.Equal(t, rule, after[i], "another rule")
					}
				}
				require.True(t, plannedOf(t, verb, later(p)).NoOp)
				_, err := verb.Undo(testContext(t), change)
				require.NoError(t, err)
				require.Equal(t, made.Object["spec"], b.read(t, k.version, kind, "digits").Object["spec"])
			})
		}
	}
}

// weightsText is the weights of a rule, as "v1 9, v2 1".
func weightsText(rule map[string]any, list string, name func(map[string]any) string) string {
	var out []string
	for _, item := range fieldpath.Maps(rule, list) {
		n, _ := fieldpath.Int(item, "weight")
		out = append(out, fmt.Sprintf("%s %d", name(item), n))
	}
	return strings.Join(out, ", ")
}

func TestAVirtualServiceOfOtherProtocols(t *testing.T) {
	b, target := trafficBench(t)
	b.create(t, "helm", `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: digits}
spec:
  hosts: [digits]
  tcp: [{match: [{port: 5432}], route: [{destination: {host: v1}, weight: 50}, {destination: {host: v2}, weight: 50}]}]
  tls: [{match: [{port: 443, sniHosts: [digits]}], route: [{destination: {host: v1}, weight: 50}, {destination: {host: v2}, weight: 50}]}]
`)
	_, err := Traffic(b.Cluster).Plan(testContext(t), proposal("traffic", target, shares("VirtualService", even)))
	require.ErrorContains(t, err, "has no rule in spec.http; the weights of spec.tcp and spec.tls are not written")
}
