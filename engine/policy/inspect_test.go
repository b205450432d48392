package policy

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

const helpers = `package scanflow.lib.h

busy if input.signals.rps.value > 10

value(name) := input.signals[name].value

high(signal) if signal.value > 10

old(signal) if signal.age_ns > 1000

load := input.signals.rps

first := load.value

outer(name) := value(name)

sustained(name) := input.signals[name].sustained.min

ready(target) := target.replicas.ready

get(name) := object.get(input.signals, [name, "value"], 0)

any_bad if {
	some name
	input.signals[name].state != "ok"
}
`

func proposing(condition, because string) map[string]string {
	return map[string]string{
		"h.rego": helpers,
		"x.rego": "package scanflow.strategies.x\n\nimport data.scanflow.lib.h\n\npropose contains {\"primitive\": \"p\", \"reason\": \"r\", \"because\": " + because + "} if {\n\t" + condition + "\n}\n\nuses := h.first\n",
	}
}

func TestReadsAreFoundThroughWhateverARuleCalls(t *testing.T) {
	only := func(f engine.SignalFields) map[string]engine.SignalFields {
		return map[string]engine.SignalFields{"rps": f}
	}
	rps := only(engine.SignalValue)
	whole := engine.Keys{All: true}
	of := func(names ...string) engine.Keys { return engine.Keys{Names: names} }
	for name, c := range map[string]struct {
		condition string
		because   string
		want      engine.Reads
	}{
		"directly":                   {`input.signals.rps.value > 1`, `["rps"]`, engine.Reads{Signals: rps}},
		"in brackets":                {`input["signals"]["rps"].value > 1`, `["rps"]`, engine.Reads{Signals: rps}},
		"its state":                  {`input.signals.rps.state == "empty"`, `["rps:empty"]`, engine.Reads{Signals: only(engine.SignalState)}},
		"its age":                    {`input.signals.rps.age_ns > 1`, `["rps"]`, engine.Reads{Signals: only(0), Now: true}},
		"since when it counts":       {`input.signals.rps.since_ns > 1`, `["rps"]`, engine.Reads{Signals: only(engine.SignalSince)}},
		"how long it has counted":    {`input.now_ns - input.signals.rps.since_ns > 1`, `["rps"]`, engine.Reads{Signals: only(engine.SignalSince), Now: true}},
		"for how long it has held":   {`input.signals.rps.sustained.above_ns > 1`, `["rps"]`, engine.Reads{Signals: only(engine.SignalSustained)}},
		"that in a local":            {"s := input.signals.rps\n\tx := s.sustained\n\tx.min > 1", `["rps"]`, engine.Reads{Signals: only(engine.SignalSustained)}},
		"that of a helper's name":    {`h.sustained("rps") > 1`, `["rps"]`, engine.Reads{Signals: only(engine.SignalSustained)}},
		"that by object.get":         {`object.get(input.signals.rps, ["sustained", "min"], 0) > 1`, `["rps"]`, engine.Reads{Signals: only(engine.SignalSustained)}},
		"as a whole":                 {`is_object(input.signals.rps)`, `["rps"]`, engine.Reads{Signals: only(engine.AllSignalFields), Now: true}},
		"its last value":             {`input.signals.rps.last > 1`, `["rps"]`, engine.Reads{Signals: only(engine.SignalLast)}},
		"its window":                 {`input.signals.rps.window > 1`, `["rps"]`, engine.Reads{Signals: only(engine.SignalWindow)}},
		"a field that is computed":   {`input.signals.rps[input.params.field] > 1`, `["rps"]`, engine.Reads{Signals: only(engine.AllSignalFields), Now: true}},
		"by a local name":            {"s := input.signals.rps\n\ts.value > 1", `["rps"]`, engine.Reads{Signals: rps}},
		"by two local names":         {"all := input.signals\n\ts := all.rps\n\ts.value > 1", `["rps"]`, engine.Reads{Signals: rps}},
		"by a name of the whole":     {"doc := input\n\tdoc.signals.rps.value > 1", `["rps"]`, engine.Reads{Signals: rps}},
		"the name is a constant":     {"name := \"rps\"\n\tinput.signals[name].value > 1", `["rps"]`, engine.Reads{Signals: rps}},
		"a value in a local":         {"v := input.signals.rps.value\n\tv > 1", `["rps"]`, engine.Reads{Signals: rps}},
		"a value that goes unused":   {"_ := input.signals.rps.value", `["rps"]`, engine.Reads{Signals: rps}},
		"under not":                  {`not input.signals.rps.value > 1`, `["rps"]`, engine.Reads{Signals: rps}},
		"not of a helper":            {`not h.busy`, `["rps"]`, engine.Reads{Signals: rps}},
		"a helper given the signal":  {`h.high(input.signals.rps)`, `["rps"]`, engine.Reads{Signals: rps}},
		"a helper given its name":    {`h.value("rps") > 1`, `["rps"]`, engine.Reads{Signals: rps}},
		"a helper of a helper":       {`h.outer("rps") > 1`, `["rps"]`, engine.Reads{Signals: rps}},
		"a helper that looks at age": {`h.old(input.signals.rps)`, `["rps"]`, engine.Reads{Signals: only(0), Now: true}},
		"a rule that is a signal":    {`h.load.value > 1`, `["rps"]`, engine.Reads{Signals: rps}},
		"in a comprehension":         {`count([v | v := input.signals.rps.value; v > 1]) > 0`, `["rps"]`, engine.Reads{Signals: rps}},
		"in every":                   {`every n in [1, 2] { input.signals.rps.value > n }`, `["rps"]`, engine.Reads{Signals: rps}},
		"object.get":                 {`object.get(input, ["signals", "rps", "value"], 0) > 1`, `["rps"]`, engine.Reads{Signals: rps}},
		"object.get in a helper":     {`h.get("rps") > 1`, `["rps"]`, engine.Reads{Signals: rps}},
		"two of them": {"input.signals.rps.value > 1\n\tinput.signals.errors.state == \"ok\"", `["rps", "errors"]`,
			engine.Reads{Signals: map[string]engine.SignalFields{"errors": engine.SignalState, "rps": engine.SignalValue}}},
		"the time": {`input.now_ns > 1`, `[]`, engine.Reads{Now: true}},
		"other sections": {"input.target.name\n\tinput.memory.x\n\tinput.claims.replicas\n\tinput.trigger.kind\n\tinput.params.a", `[]`,
			engine.Reads{Memory: of("x"), Claims: of("replicas"), Trigger: true, ForTrigger: true}},
		"fields of the target": {"input.target.replicas.desired > 1\n\tinput.target.labels.a\n\tinput.target.model", `[]`,
			engine.Reads{Target: engine.TargetDesired | engine.TargetLabels | engine.TargetModel}},
		"the pods":                        {"some p in input.target.pods\n\tp.ready", `[]`, engine.Reads{Target: engine.TargetPods}},
		"all replicas":                    {`count(input.target.replicas) > 1`, `[]`, engine.Reads{Target: engine.TargetDesired | engine.TargetReady}},
		"the target by a local name":      {"t := input.target\n\tt.replicas.ready > 1\n\tt.placement", `[]`, engine.Reads{Target: engine.TargetReady | engine.TargetPlacement}},
		"the target in a helper":          {`h.ready(input.target) > 1`, `[]`, engine.Reads{Target: engine.TargetReady}},
		"the whole target":                {`count(input.target) > 1`, `[]`, engine.Reads{Target: engine.AllTargetFields}},
		"the whole, by a local name":      {"t := input.target\n\tcount(t) > 1", `[]`, engine.Reads{Target: engine.AllTargetFields}},
		"a field of the target, computed": {`input.target[input.params.field]`, `[]`, engine.Reads{Target: engine.AllTargetFields}},
		"object.get of the target":        {`object.get(input.target, ["replicas", "ready"], 0) > 1`, `[]`, engine.Reads{Target: engine.TargetReady}},
		"memory of two strategies":        {"m := input.memory\n\tm[\"t.b\"].note\n\tinput.memory[\"t.a\"].last.scale.at_ns", `[]`, engine.Reads{Memory: of("t.a", "t.b")}},
		"memory, by a constant":           {"name := \"t.a\"\n\tinput.memory[name].note", `[]`, engine.Reads{Memory: of("t.a")}},
		"memory of any strategy":          {"some name\n\tinput.memory[name].note", `[]`, engine.Reads{Memory: whole}},
		"memory of any, by a local name":  {"m := input.memory\n\tsome name, _ in m\n\tname != \"a\"", `[]`, engine.Reads{Memory: whole}},
		"no claim":                        {`not input.claims["workflow/retrain"]`, `[]`, engine.Reads{Claims: of("workflow/retrain")}},
		"any claim":                       {`some c in input.claims`, `[]`, engine.Reads{Claims: whole}},
		"all claims":                      {`count(input.claims) > 1`, `[]`, engine.Reads{Claims: whole}},
		"a claim that may be missing":     {`object.get(input.claims, "replicas", {}) != {}`, `[]`, engine.Reads{Claims: of("replicas")}},
		"nothing":                         {`input.params.a`, `[]`, engine.Reads{}},
	} {
		t.Run(name, func(t *testing.T) {
			rev, err := Compile(context.Background(), sourceOf(t, proposing(c.condition, c.because)), Options{})
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(c.want, rev.Reads([]string{"x"}), cmpopts.EquateEmpty()))
		})
	}
}

func TestAProposeRuleMustNameWhatItReads(t *testing.T) {
	for name, c := range map[string]struct{ condition, because, says string }{
		"unnamed":                           {`input.signals.rps.value > 1`, `[]`, `x.rego:5:1: propose reads signal "rps" (x.rego:6), which its because doesn't name; add "rps" to because, or "rps:empty"`},
		"its mark":                          {`input.signals.rps.since_ns > 1`, `[]`, `reads signal "rps" (x.rego:6)`},
		"another is named":                  {`input.signals.rps.value > 1`, `["errors"]`, `reads signal "rps"`},
		"read in a function":                {`h.value("rps") > 1`, `[]`, `reads signal "rps" (h.rego:5)`},
		"not of a helper":                   {`not h.busy`, `[]`, `reads signal "rps" (h.rego:3)`},
		"given to a function":               {`h.high(input.signals.rps)`, `[]`, `reads signal "rps"`},
		"given by a local name":             {"s := input.signals.rps\n\th.high(s)", `[]`, `reads signal "rps"`},
		"under a comprehension":             {`count([1 | h.busy]) == 0`, `[]`, `reads signal "rps"`},
		"any signal":                        {"some name\n\tinput.signals[name].value > 1", `["rps"]`, `reads signals whose names the text doesn't tell (x.rego:7); read each signal by its name`},
		"for how long it has held":          {`input.signals.rps.sustained.min > 1`, `[]`, `reads signal "rps" (x.rego:6)`},
		"any signal, in a helper":           {`h.any_bad`, `["rps"]`, `doesn't tell (h.rego:25)`},
		"all signals":                       {`count(input.signals) > 1`, `["rps"]`, `doesn't tell`},
		"the whole document":                {`count(input) > 1`, `["rps"]`, `doesn't tell`},
		"because is computed":               {`input.params.a`, `[s | some s in ["rps"]]`, `because must be a literal array`},
		"because from the document":         {`input.params.a`, `input.params.because`, `because must be a literal array`},
		"because holds a computed":          {`input.params.a`, `[input.params.a]`, `not a signal's name`},
		"because with a state that is none": {`input.params.a`, `["rps:missing"]`, `there is no state "missing"; the states are ok, empty, nan, stale, error`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(context.Background(), sourceOf(t, proposing(c.condition, c.because)), Options{})
			require.ErrorContains(t, err, c.says)
			require.IsType(t, mistake.Mistakes{}, err)
		})
	}
}

func TestTheFormOfPropose(t *testing.T) {
	object := `{"primitive": "p", "reason": "r", "because": ["rps"]}`
	for name, c := range map[string]struct{ rego, says string }{
		"in the head":            {`propose contains ` + object + ` if input.signals.rps.value > 1`, ""},
		"a local":                {"propose contains p if {\n\tinput.signals.rps.value > 1\n\tp := " + object + "\n}", ""},
		"because is a local":     {"propose contains {\"primitive\": \"p\", \"reason\": \"r\", \"because\": b} if {\n\tb := [\"rps\"]\n\tinput.signals.rps.value > 1\n}", ""},
		"both are locals":        {"propose contains p if {\n\tb := [\"rps\"]\n\tp := {\"primitive\": \"p\", \"reason\": input.params.reason, \"because\": b}\n\tinput.signals.rps.value > 1\n}", ""},
		"a union":                {`propose contains object.union({"primitive": "p", "reason": "r"}, {"because": ["rps"]}) if input.signals.rps.value > 1`, ""},
		"a union with a default": {`propose contains object.union(input.params.more, {"because": ["rps"], "reason": "r", "primitive": "p"}) if input.signals.rps.value > 1`, ""},
		"a union may replace it": {`propose contains object.union({"primitive": "p", "reason": "r", "because": []}, input.params.more)`, "because must be a literal array"},
		"a union without it":     {`propose contains object.union({"primitive": "p", "reason": "r"}, input.params.more)`, "propose must give an object written in this rule"},
		"a constant":             {"propose contains it if input.signals.rps.value > 1\n\nit := " + object, ""},
		"one of two constants":   {"propose contains it if input.signals.rps.value > 1\n\nit := " + object + " if input.params.a\n\nit := " + object + " if input.params.b", "propose must give an object written in this rule"},
		"a complete rule":        {`propose := {` + object + `}`, "x.rego:3:1: propose must be a set of proposals; write it as `propose contains proposal if {...}`"},
		"a default":              {"default propose := false", "propose must be a set of proposals"},
		"an object of proposals": {`propose["a"] := ` + object, "propose must be a set of proposals"},
		"from another rule":      {"propose contains p if some p in others\n\nothers := [" + object + "]", "propose must give an object written in this rule"},
		"no because":             {`propose contains {"primitive": "p", "reason": "r"}`, "x.rego:3:18: because is missing; add the names of the signals that it relies on, [] if it rests on none"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(context.Background(), sourceOf(t, one(c.rego)), Options{})
			if c.says == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.says)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	rev := compiled(t, with(one(`propose contains {"primitive": "p", "reason": "r", "because": []}`),
		"idle.rego", "package scanflow.strategies.idle\n\nproposes contains 1\n",
		"g.rego", "package scanflow.guards.g\n\ndeny contains \"no\" if input.params.off\n"), Options{})
	require.Equal(t, []string{"x"}, rev.Strategies())
	require.Equal(t, `package data.scanflow.guards.g has no tests; add rules test_... in a package of that name with _test at its end
package data.scanflow.strategies.idle proposes nothing; add `+"`propose contains proposal if {...}`"+`, or move it out of scanflow.strategies
package data.scanflow.strategies.x has no tests; add rules test_... in a package of that name with _test at its end
x.rego:3:1: the METADATA of this propose rule has no title, description, custom.layer; write it in a # METADATA comment above the rule`, messages(rev.Warnings()))
}

func TestAllMistakesAreNamedAtOnce(t *testing.T) {
	_, err := Compile(context.Background(), sourceOf(t, map[string]string{
		"a.rego": "package scanflow.strategies.a\n\npropose contains {\"primitive\": \"p\", \"reason\": \"r\", \"because\": []} if input.signals.rps.value > 1\n",
		"b.rego": "package scanflow.strategies.b\n\npropose := 1\n",
	}), Options{})
	require.Len(t, err, 2)

	_, err = Compile(context.Background(), sourceOf(t, map[string]string{
		"a.rego": "package a\n\np if {\n", "b.rego": "package b\n\nq := := 1\n",
	}), Options{})
	require.ErrorContains(t, err, "a.rego:")
	require.ErrorContains(t, err, "b.rego:3:")
}

func TestWhatDoesNotCompileIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		says  string
	}{
		"a syntax error":        {one("propose contains {"), "x.rego:3:"},
		"an older Rego":         {one("propose[p] { p := 1 }"), "`if` keyword is required"},
		"a type error":          {one("y := 1 + \"a\""), "x.rego:3:6: rego_type_error: plus: invalid argument(s)"},
		"an unused variable":    {one("y if { z := 1 }"), "assigned var z unused"},
		"an unused import":      {map[string]string{"x.rego": "package x\n\nimport data.y\n"}, "unused"},
		"an unsafe variable":    {one("y if z > 1"), "var z is unsafe"},
		"recursion":             {one("y if z\n\nz if y"), "recursive"},
		"a request":             {one(`y := http.send({"method": "get", "url": "http://x"})`), "undefined function http.send; it is switched off: let a sensor fetch it"},
		"the wall clock":        {one(`y := time.now_ns()`), "undefined function time.now_ns; it is switched off: read input.now_ns"},
		"a random number":       {one(`y := rand.intn("a", 10)`), "undefined function rand.intn; it is switched off"},
		"a random identity":     {one(`y := uuid.rfc4122("a")`), "undefined function uuid.rfc4122; it is switched off"},
		"the runtime":           {one(`y := opa.runtime()`), "undefined function opa.runtime; it is switched off"},
		"a name looked up":      {one(`y := net.lookup_ip_addr("a")`), "undefined function net.lookup_ip_addr; it is switched off"},
		"an empty file":         {with(basic(), "empty.rego", "\n"), "empty.rego"},
		"data over a rule":      {with(basic(), "scanflow/lib/load/replicas/data.json", `{"a": 1}`), "conflict"},
		"a package elsewhere":   {with(basic(), "x.rego", "package other"), "x.rego:1:1: data.other is outside of the manifest's roots"},
		"two packages conflict": {with(basic(), "x.rego", "package scanflow.lib\n\nload := 1"), "conflict"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Candidate(context.Background(), sourceOf(t, c.files), Options{})
			require.ErrorContains(t, err, c.says)
			require.IsType(t, mistake.Mistakes{}, err)
		})
	}
}

// Beyond the bound of what is looked at, nothing is refused, and because is found.
func TestProposalsBeyondTheBoundAreNotJudged(t *testing.T) {
	var text strings.Builder
	text.WriteString("package scanflow.strategies.x\n\na0 := [1, 2, 3, 4, 5, 6, 7, 8]\n")
	for i := 1; i <= 10; i++ {
		fmt.Fprintf(&text, "\na%d := [a%d, a%d, a%d]\n", i, i-1, i-1, i-1)
	}
	for i := range 100 {
		fmt.Fprintf(&text, "\npropose contains {\"primitive\": \"p\", \"with\": {\"a\": a10}, \"reason\": \"r%d\", \"because\": [\"rps\"], \"note\": a10} if input.signals.rps.value > %d\n", i, i)
	}
	rev := compiled(t, map[string]string{"x.rego": text.String()}, Options{})
	require.Len(t, rev.Proposals("x"), 100)
	because, ok := rev.Proposals("x")[99].Object.Field("because")
	require.True(t, ok)
	require.Len(t, because.Value.Items, 1)
}
