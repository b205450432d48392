package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func clampRuleOf(object string) string { return "clamp contains " + object + "\n\n" }

// review is the result of guards on a proposal to scale to 6, by their rules in package
// scanflow.guards.NAME.
func review(t *testing.T, p engine.Proposal, guards map[string]string) engine.Review {
	t.Helper()
	files := one(`propose contains {"primitive": "p", "reason": "r", "because": []}`)
	for name, rego := range guards {
		files[name+".rego"] = "package scanflow.guards." + name + "\n\n" + rego
	}
	return compiled(t, files, Options{Deadline: 50 * time.Millisecond}).Review(t.Context(), document(1), p)
}

func scaleTo6() engine.Proposal {
	return engine.Proposal{Agent: "mlperf/planner", Strategy: "x", Primitive: "scale", With: map[string]any{"replicas": 6.0}, Reason: "load"}
}

func TestGuardsClamp(t *testing.T) {
	floor := func(n, reason string) string {
		return clampRuleOf(`{"with": "replicas", "min": ` + n + `, "reason": "` + reason + `"}`)
	}
	ceiling := func(n, reason string) string {
		return clampRuleOf(`{"with": "replicas", "max": ` + n + `, "reason": "` + reason + `"}`)
	}
	for name, c := range map[string]struct {
		guards  map[string]string
		want    any // the replicas; nil where nothing is clamped
		says    []string
		denials []string // guard: reason
	}{
		"up to a min":           {map[string]string{"a": floor("9", "weekend")}, 9.0, []string{"6 to 9: min 9 by a (weekend)"}, nil},
		"down to a max":         {map[string]string{"a": ceiling("4", "quota")}, 4.0, []string{"6 to 4: max 4 by a (quota)"}, nil},
		"within both":           {map[string]string{"a": clampRuleOf(`{"with": "replicas", "min": 3, "max": 9, "reason": "r"}`)}, nil, nil, nil},
		"at a bound":            {map[string]string{"a": floor("6", "r") + ceiling("6", "r")}, nil, nil, nil},
		"by a path of one name": {map[string]string{"a": clampRuleOf(`{"with": ["replicas"], "max": 4, "reason": "r"}`)}, 4.0, []string{"6 to 4: max 4 by a (r)"}, nil},
		"the largest min":       {map[string]string{"a": floor("8", "small") + floor("9", "large"), "b": floor("7", "other")}, 9.0, []string{"6 to 9: min 9 by a (large)"}, nil},
		"the smallest max":      {map[string]string{"a": ceiling("5", "large"), "b": ceiling("3", "small")}, 3.0, []string{"6 to 3: max 3 by b (small)"}, nil},
		"of equals the first":   {map[string]string{"b": floor("9", "x"), "a": floor("9", "z") + floor("9", "y")}, 9.0, []string{"6 to 9: min 9 by a (y)"}, nil},
		"min above max of two": {map[string]string{"a": floor("9", "weekend"), "b": ceiling("4", "quota")}, nil, nil,
			[]string{"a: its min 9 for replicas (weekend) is above the max 4 of guard b (quota)"}},
		"deny is judged on what is clamped":               {map[string]string{"a": ceiling("4", "quota"), "b": "deny contains sprintf(\"%v\", [input.proposal.with.replicas])"}, 4.0, []string{"6 to 4: max 4 by a (quota)"}, []string{"b: 4"}},
		"deny of the same guard too":                      {map[string]string{"a": ceiling("4", "quota") + "deny contains \"large\" if input.proposal.with.replicas > 5\n"}, 4.0, []string{"6 to 4: max 4 by a (quota)"}, nil},
		"a clamp whose condition fails":                   {map[string]string{"a": "clamp contains {\"with\": \"replicas\", \"max\": 4, \"reason\": \"r\"} if input.proposal.primitive == \"place\"\n"}, nil, nil, nil},
		"a parameter that is not there":                   {map[string]string{"a": clampRuleOf(`{"with": "min", "max": 4, "reason": "quota"}`)}, nil, nil, []string{"a: clamps min, and this scale has none; name the verbs that it is for in METADATA, as `custom: {verbs: [scale]}` (quota)"}},
		"below a number":                                  {map[string]string{"a": clampRuleOf(`{"with": ["replicas", "x"], "max": 4, "reason": "quota"}`)}, nil, nil, []string{"a: clamps replicas.x, and this scale has none; name the verbs that it is for in METADATA, as `custom: {verbs: [scale]}` (quota)"}},
		"a signal that is not ok":                         {map[string]string{"a": "clamp contains {\"with\": \"replicas\", \"max\": 4, \"reason\": \"r\"} if input.signals.errors.value > 0.1\n"}, nil, nil, []string{"a: signal errors is empty"}},
		"a signal whose state is named":                   {map[string]string{"a": "# METADATA\n# custom:\n#   states: [empty]\nclamp contains {\"with\": \"replicas\", \"max\": 4, \"reason\": \"r\"} if input.signals.errors.value > 0.1\n"}, nil, nil, nil},
		"an error of a built-in":                          {map[string]string{"a": "clamp contains {\"with\": \"replicas\", \"max\": to_number(input.target.name), \"reason\": \"r\"}\n"}, nil, nil, []string{"a: a.rego:3: eval_builtin_error: to_number: strconv.ParseFloat: parsing \"digits\": invalid syntax"}},
		"it runs over":                                    {map[string]string{"a": "clamp contains {\"with\": \"replicas\", \"max\": count([1 | some i in numbers.range(1, 5000); some j in numbers.range(1, 50000); i + j < 0]), \"reason\": \"r\"}\n"}, nil, nil, []string{"a: ran longer than 50ms and was stopped; bound what it iterates over"}},
		"an error beside a good clamp":                    {map[string]string{"a": ceiling("4", "quota"), "b": "deny contains \"x\" if to_number(input.target.name) > 1\n"}, 4.0, []string{"6 to 4: max 4 by a (quota)"}, []string{"b: b.rego:3: eval_builtin_error: to_number: strconv.ParseFloat: parsing \"digits\": invalid syntax"}},
		"a failing clamp beside a good one":               {map[string]string{"a": ceiling("4", "quota"), "b": "clamp contains {\"with\": \"replicas\", \"max\": to_number(input.target.name), \"reason\": \"r\"}\n"}, 4.0, []string{"6 to 4: max 4 by a (quota)"}, []string{"b: b.rego:3: eval_builtin_error: to_number: strconv.ParseFloat: parsing \"digits\": invalid syntax"}},
		"a malformed clamp beside a good one":             {map[string]string{"a": ceiling("4", "quota") + "clamp contains object.union({}, {\"with\": \"replicas\", \"max\": 2})\n"}, 4.0, []string{"6 to 4: max 4 by a (quota)"}, []string{"a: clamp {\"max\": 2, \"with\": \"replicas\"}: reason is missing"}},
		"a slow clamp beside a good one":                  {map[string]string{"a": ceiling("4", "quota"), "b": "clamp contains {\"with\": \"replicas\", \"max\": count([1 | some i in numbers.range(1, 5000); some j in numbers.range(1, 50000); i + j < 0]), \"reason\": \"r\"}\n"}, 4.0, []string{"6 to 4: max 4 by a (quota)"}, []string{"b: ran longer than 50ms and was stopped; bound what it iterates over"}},
		"a clamp without its signal, of what is proposed": {map[string]string{"a": ceiling("4", "quota"), "b": "clamp contains {\"with\": \"replicas\", \"max\": 2, \"reason\": \"r\"} if {\n\tinput.proposal.with.replicas == 6\n\tinput.signals.errors.value > 0.1\n}\n"}, 4.0, []string{"6 to 4: max 4 by a (quota)"}, []string{"b: signal errors is empty"}},
		"a clamp without its signal, of what is clamped":  {map[string]string{"a": ceiling("4", "quota"), "b": "clamp contains {\"with\": \"replicas\", \"max\": 2, \"reason\": \"r\"} if {\n\tinput.proposal.with.replicas == 4\n\tinput.signals.errors.value > 0.1\n}\n"}, 4.0, []string{"6 to 4: max 4 by a (quota)"}, nil},
		"a computed object":                               {map[string]string{"a": "clamp contains object.union({\"with\": \"replicas\", \"reason\": input.agent.name}, {\"max\": 4})\n"}, 4.0, []string{"6 to 4: max 4 by a (planner)"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := scaleTo6()
			r := review(t, p, c.guards)
			var says, denials []string
			for _, k := range r.Clamps {
				says = append(says, floatText(k.Proposed)+" to "+floatText(k.Clamped)+": "+k.Bound+" by "+k.Guard+" ("+k.Reason+")")
			}
			for _, d := range r.Denials {
				denials = append(denials, d.Guard+": "+d.Reason)
			}
			require.Equal(t, c.denials, denials)
			require.Equal(t, c.says, says)
			if c.want == nil {
				require.Nil(t, r.With)
			} else {
				require.Equal(t, map[string]any{"replicas": c.want}, r.With)
			}
			require.Equal(t, 6.0, p.With["replicas"], "the proposal itself is kept, since later turns have it too")
		})
	}
}

func floatText(f float64) string { return (&bound{value: f}).String() }

// Each of these denies, and says why.
func TestAMalformedClampDenies(t *testing.T) {
	for object, says := range map[string]string{
		`{"with": "replicas", "reason": "r"}`:                                  "min and max are missing; give one or both",
		`{"with": "replicas", "max": 4}`:                                       "reason is missing",
		`{"with": "replicas", "max": 4, "reason": ""}`:                         "reason is empty",
		`{"with": "replicas", "max": 4, "reason": 5}`:                          "reason must be a string, not number",
		`{"max": 4, "reason": "r"}`:                                            "with is missing",
		`{"with": "", "max": 4, "reason": "r"}`:                                `with must be the name of a parameter, or a path as ["weights", "canary"], not ""`,
		`{"with": [], "max": 4, "reason": "r"}`:                                "not an empty array",
		`{"with": ["weights", 1], "max": 4, "reason": "r"}`:                    "with must be the name of a parameter",
		`{"with": 3, "max": 4, "reason": "r"}`:                                 "with must be the name of a parameter",
		`{"with": "replicas", "max": "4", "reason": "r"}`:                      "max must be a number, not string",
		`{"with": "replicas", "min": null, "reason": "r"}`:                     "min must be a number, not null",
		`{"with": "replicas", "min": true, "reason": "r"}`:                     "min must be a number, not boolean",
		`{"with": "replicas", "min": 5, "max": 4, "reason": "r"}`:              "min 5 is above max 4",
		`{"with": "replicas", "most": 4, "reason": "r"}`:                       `unknown key "most"; the keys are with, min, max, reason`,
		`{"with": "replicas", "max": 4, "reason": "r", 3: 4}`:                  "unknown key 3",
		`{"with": "replicas", "max": json.unmarshal("1e999"), "reason": "r"}`:  "1e999",
		`{"with": "replicas", "max": json.unmarshal("-1e999"), "reason": "r"}`: "1e999",
	} {
		t.Run(object, func(t *testing.T) {
			rego := "clamp contains object.union({}, " + object + ")\n" // computed, so that Compile can't see it
			r := review(t, scaleTo6(), map[string]string{"a": rego})
			require.Len(t, r.Denials, 1)
			require.Equal(t, "a", r.Denials[0].Guard)
			require.Contains(t, r.Denials[0].Reason, says)
			require.Empty(t, r.Clamps)
		})
	}
	for _, element := range []string{`"replicas"`, "4", "[1]", "null"} {
		r := review(t, scaleTo6(), map[string]string{"a": "clamp contains x if some x in [" + element + "]\n"})
		require.Len(t, r.Denials, 1)
		require.Contains(t, r.Denials[0].Reason, "must be an object")
	}
}

func TestANumberBelowAParameterIsClamped(t *testing.T) {
	with := map[string]any{"route": "digits", "weights": map[string]any{"small": 50.0, "large": 50.0}}
	p := engine.Proposal{Primitive: "traffic", With: with}
	r := review(t, p, map[string]string{"a": clampRuleOf(`{"with": ["weights", "small"], "max": 20, "reason": "slow"}`)})
	require.Empty(t, r.Denials)
	require.Equal(t, map[string]any{"route": "digits", "weights": map[string]any{"small": 20.0, "large": 50.0}}, r.With)
	require.Equal(t, 50.0, with["weights"].(map[string]any)["small"])
	r = review(t, p, map[string]string{"a": clampRuleOf(`{"with": "route", "max": 20, "reason": "slow"}`)})
	require.Equal(t, []engine.Denial{{Guard: "a", Reason: "clamps route, which is no number in this traffic (slow)"}}, r.Denials)
}

// What is wrong with a clamp as it is written is a mistake before anything runs.
func TestMistakesInAClampAreFoundInItsText(t *testing.T) {
	for rego, says := range map[string]string{
		`clamp := {"with": "replicas", "max": 4, "reason": "r"}`: "g.rego:3:1: clamp must be a set of clamps; write it as `clamp contains",
		`clamp(x) := x`: "or rename it if it is a helper",
		`clamp.a contains {"with": "replicas", "max": 4, "reason": "r"}`:                               "clamp must be a set of clamps",
		`clamp contains "replicas"`:                                                                    "g.rego:3:16: clamp must hold objects, not string",
		`clamp contains {"with": "replicas", "max": 4}`:                                                "g.rego:3:16: clamp: reason is missing",
		`clamp contains {"with": "replicas", "reason": "r"}`:                                           "clamp: min and max are missing",
		`clamp contains {"max": 4, "reason": "r"}`:                                                     "clamp: with is missing",
		`clamp contains {"with": "replicas", "mx": 4, "reason": "r"}`:                                  "clamp has the key \"mx\"; did you mean max?",
		`clamp contains {"with": "replicas", "most": 4, "max": 4, "reason": "r"}`:                      "clamp has the key \"most\"; the keys are with, min, max, reason",
		`clamp contains {"with": "replicas", "max": "4", "reason": "r"}`:                               "clamp: max must be a number, not string",
		`clamp contains {"with": "replicas", "max": {"a": input.now_ns}, "reason": "r"}`:               "clamp: max must be a number, not object",
		`clamp contains {"with": 5, "max": 4, "reason": "r"}`:                                          "clamp: with must be the name of a parameter",
		`clamp contains {"with": [], "max": 4, "reason": "r"}`:                                         "not an empty array",
		`clamp contains {"with": "replicas", "max": 4, "reason": 5}`:                                   "clamp: reason must be a string",
		`clamp contains {"with": "replicas", "max": 4, "reason": " "}`:                                 "clamp: reason is empty",
		`clamp contains {"with": "replicas", "min": 5, "max": 4, "reason": "r"}`:                       "clamp: min 5 is above max 4; swap them, or correct one",
		"clamp contains c if {\n\tc := {\"with\": \"replicas\", \"max\": \"4\", \"reason\": \"r\"}\n}": "g.rego:4:35: clamp: max must be a number",
		"clamp contains {\"with\": \"replicas\", \"max\": m, \"reason\": \"r\"} if m := \"4\"":         "clamp: max must be a number",
		`clamps contains {"with": "replicas", "max": 4, "reason": "r"}`:                                "a guard without a deny or clamp rule guards nothing",
		"deny contains \"x\" if input.now_ns < 0\n\nclamps contains 1":                                 "clamps in package scanflow.guards.safety binds nobody, and nothing refers to it; did you mean clamp?",
		"deny contains \"x\" if input.now_ns < 0\n\nclamp_more contains 1":                             "clamp_more in package scanflow.guards.safety binds nobody",
		"deny contains \"x\" if input.now_ns < 0\n\nclamped contains 1":                                "did you mean clamp?",
		clampRuleOf(`{"with": "replicas", "max": 4, "reason": "r"}`) + "dney contains 1":               "did you mean deny?",
	} {
		t.Run(rego, func(t *testing.T) {
			_, err := Compile(t.Context(), sourceOf(t, guardOf(rego)), Options{})
			require.ErrorContains(t, err, says)
		})
	}
	for name, c := range map[string]struct{ text, says string }{
		"in a strategy": {"package scanflow.strategies.y\n\npropose contains {\"primitive\": \"p\", \"reason\": \"r\", \"because\": []}\n\nclamp contains 1\n", "clamp in package scanflow.strategies.y binds nobody: clamp rules are asked in packages scanflow.guards.NAME alone; move it to such a package"},
		"in a library":  {"package scanflow.lib.y\n\nclamp contains 1\n", "clamp in package scanflow.lib.y binds nobody"},
		"misspelt":      {"package scanflow.guard.y\n\nclamp contains 1\n", "did you mean package scanflow.guards.y?"},
		"a test file":   {"package scanflow.guards.y_test\n\nclamp contains 1\n", "clamp in package scanflow.guards.y_test binds nobody: its package ends with _test"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(t.Context(), sourceOf(t, with(guardOf(`deny contains "x" if input.now_ns < 0`), "m.rego", c.text)), Options{})
			require.ErrorContains(t, err, c.says)
		})
	}
	_, err := Compile(t.Context(), sourceOf(t, with(guardOf(`deny contains "x" if input.now_ns < 0`), "scanflow/guards/data.json", `{"safety2": {"clamp": []}}`)), Options{})
	require.ErrorContains(t, err, "is data, and binds nobody")
}

// A function clamp is a common helper, and stays one where something calls it.
func TestAHelperMayBeCalledClamp(t *testing.T) {
	files := with(guardOf(`deny contains "x" if data.scanflow.lib.y.clamp(input.now_ns, 1, 2) < 0`), "y.rego", "package scanflow.lib.y\n\nclamp(x, low, high) := max([low, min([x, high])])\n")
	_, err := Compile(t.Context(), sourceOf(t, files), Options{})
	require.NoError(t, err)
	files["x.rego"] = "package scanflow.strategies.x\n\npropose contains {\"primitive\": \"p\", \"with\": {\"x\": clamp(input.now_ns)}, \"reason\": \"r\", \"because\": []}\n\nclamp(x) := x + 1\n"
	_, err = Compile(t.Context(), sourceOf(t, files), Options{})
	require.NoError(t, err)
}

// The child process that tries policies before they go live evaluates clamp, too.
func TestAJudgeTriesClamps(t *testing.T) {
	for name, rego := range map[string]string{
		"a clamp that does not end":          "clamp contains {\"with\": \"replicas\", \"max\": count([1 | some i in numbers.range(1, 90000); some j in numbers.range(1, 90000); i + j < 0]), \"reason\": \"r\"}\n",
		"a deny that does not, once clamped": clampRuleOf(`{"with": "replicas", "max": 2, "reason": "r"}`) + "deny contains \"x\" if {\n\tinput.proposal.with.replicas == 2\n\tcount([1 | some i in numbers.range(1, 90000); some j in numbers.range(1, 90000); i + j < 0]) > 0\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			src := sourceOf(t, with(basic(), "g.rego", "package scanflow.guards.g\n\n"+rego))
			err := NewJudge(JudgeOptions{Options: Options{Deadline: 100 * time.Millisecond}}).Try(t.Context(), src, trial(t, "serving.autoscale"))
			require.ErrorContains(t, err, "guard g ran longer than 100ms")
		})
	}
}

// A strategy that remembers has proposals too, on which the guards are tried.
func TestAJudgeTriesGuardsOnWhatARememberingStrategyProposes(t *testing.T) {
	files := with(basic(), "g.rego", "package scanflow.guards.g\n\ndeny contains \"x\" if count([1 | some i in numbers.range(1, 90000); some j in numbers.range(1, 90000); i + j < 0]) > 0\n")
	files = with(files, "n.rego", "package scanflow.strategies.n\n\npropose contains {\"primitive\": \"p\", \"with\": {\"n\": 1}, \"reason\": \"r\", \"because\": []}\n\nremember := input.now_ns\n")
	err := NewJudge(JudgeOptions{Options: Options{Deadline: 100 * time.Millisecond}}).Try(t.Context(), sourceOf(t, files), trial(t, "n"))
	require.ErrorContains(t, err, "guard g ran longer than 100ms")
}
