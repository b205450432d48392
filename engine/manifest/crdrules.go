package manifest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// rule is a condition in CEL that a struct must meet. The API server evaluates those checks
// of the validator that CEL can express at a bounded cost. Scanflow does the rest when it
// reads the resource, and reports it as a condition in the status.
type rule struct {
	// field is the path, relative to the struct, of the field that is rejected: ".max".
	field, cel, message string
}

func (s structural) rules(t reflect.Type) []rule {
	switch t {
	case reflect.TypeFor[Agent]():
		return []rule{{".metadata.name", dnsPart.matches("self.metadata.name"), dnsPart.sentence()}}
	case reflect.TypeFor[Spec]():
		return []rule{{".guards.approval",
			"!has(self.guards) || !has(self.guards.approval) || self.guards.approval.all(v, has(self.primitives) && v in self.primitives)",
			"holds a verb that is not in spec.primitives; add it there, or leave it out here"},
			ownVerbsRule("budget"), ownVerbsRule("fleet"),
			positiveRule("retryFor", retryForFix),
			{".retryFor", "!has(self.retryFor) || (has(self.primitives) && 'webhook' in self.primitives)", "is for webhook, which is not in spec.primitives; add it there, or leave it out here"},
			{".strategies", "!has(self.strategies) || !self.strategies.exists(s, s.startsWith('scanflow.strategies.'))",
				"repeats what every strategy begins with; write DOMAIN.NAME, like serving.autoscale"}}
	case reflect.TypeFor[Targets]():
		return targetRules()
	case reflect.TypeFor[Trigger]():
		return triggerRules()
	case reflect.TypeFor[EventTrigger]():
		return []rule{{".type", "self.type.trim() == self.type", "has white space around it; cut it"}, sendersRule()}
	case reflect.TypeFor[AlertTrigger]():
		return []rule{sendersRule(), {".matchLabels", "!has(self.name) || !has(self.matchLabels) || !('alertname' in self.matchLabels)", "holds alertname, which is name; " + alertNameFix}}
	case reflect.TypeFor[Sensor]():
		return s.sensorRules()
	case reflect.TypeFor[Sustained]():
		return []rule{positiveRule("over", overFix)}
	case reflect.TypeFor[Secret]():
		// env has no pattern: the API server would print the value, which may be the
		// secret itself.
		return []rule{
			{"", exactlyOne("env", "file", "secretKeyRef"), "wants exactly one of env, file, secretKeyRef; " + secretFix},
			{".env", "!has(self.env) || self.env.matches('" + variableName.String() + "')", "is not the name of an environment variable; write a name like API_TOKEN, without $"},
		}
	case reflect.TypeFor[Credential]():
		return []rule{
			{"", "!(has(self.bearerToken) && has(self.basicAuth))", "wants one of bearerToken and basicAuth, not both"},
			{".url", isWebURL("self.url") + " && !self.url.contains('?')", "must begin with http:// or https://, name a host, and have no query"},
		}
	case reflect.TypeFor[Guards]():
		keys := append([]string{"up", "down"}, s.kinds.verbNames()...)
		return []rule{
			positiveRule("approvalExpiry", "leave it out for 24h"),
			{".approvalNotify", "!has(self.approvalNotify) || (" + isWebURL("self.approvalNotify") + ")", "is not an address; " + notifyFix},
			{".cooldown", "!has(self.cooldown) || self.cooldown.all(k, k in " + celList(keys) + ")", "a key is neither a direction nor a primitive; write up, down, or a verb: " + list(s.kinds.verbNames())},
			{".urls", "!has(self.urls) || self.urls.all(u, " + isWebURL("u") + " && !u.contains('?') && !u.contains('#') && !u.contains('*') && " + noUserinfo("u") + " && !u.endsWith('/..') && !u.contains('/../'))",
				"must be like https://hooks.example.com/ or https://hooks.example.com/team/: a scheme, a host and a path"},
		}
	case reflect.TypeFor[ReplicaGuard]():
		return []rule{{".min", "!has(self.min) || !has(self.max) || self.min <= self.max", "is more than max; make min less or max more"}}
	case reflect.TypeFor[BudgetGuard]():
		return []rule{positiveRule("per", "write a span like 1h")}
	case reflect.TypeFor[FleetGuard]():
		return []rule{positiveRule("per", "write a span like 10m"), {".targets",
			"type(self.targets) == int || !" + shareForm.matches("string(self.targets)") + " || !string(self.targets).endsWith('%') || (double(string(self.targets).replace('%', '')) > 0.0 && double(string(self.targets).replace('%', '')) <= 100.0)",
			"is out of bounds; write more than 0% and at most 100%"}}
	}
	return nil
}

// ownVerbsRule requires that a guard names at least one verb, and only verbs of the agent.
func ownVerbsRule(guard string) rule {
	verbs := "self.guards." + guard + ".primitives"
	return rule{".guards." + guard + ".primitives",
		"!has(self.guards) || !has(self.guards." + guard + ") || !has(" + verbs + ") || size(" + verbs + ") > 0 && " + verbs + ".all(v, has(self.primitives) && v in self.primitives)",
		"is empty, or holds a verb that is not in spec.primitives; add it there, or leave it out here"}
}

func targetRules() []rule {
	out := []rule{
		{"", "has(self.selector) || has(self.static)", "has neither selector nor static; write apiVersion, kind and selector: {matchLabels: ...}, or static: [{name: ...}]"},
		{"", "!(has(self.selector) && has(self.static))", "has both selector and static; keep one"},
		{".apiVersion", "!has(self.selector) || (has(self.apiVersion) && self.apiVersion != '')", "is missing; a selector wants apiVersion and kind, like apps/v1 and Deployment"},
		{".kind", "!has(self.selector) || (has(self.kind) && self.kind != '')", "is missing; a selector wants apiVersion and kind, like apps/v1 and Deployment"},
		{".pods", "!has(self.pods) || !self.pods || !has(self.apiVersion) || !has(self.kind) || (self.apiVersion.contains('.') ? !(self.apiVersion + '/' + self.kind).matches(r'" + podless + "') : self.kind in ['" + strings.Join(podOwners, "', '") + "'])", podsMessage + "; " + podsFix},
		{".static", "!has(self.static) || size(self.static) > 0", "must not be empty; name at least one target"},
	}
	for _, field := range []string{"apiVersion", "kind", "namespace", "pods"} {
		out = append(out, rule{"." + field, "!has(self.static) || !has(self." + celName(field) + ")", "goes with selector only; leave it out"})
	}
	return out
}

func sendersRule() rule {
	return rule{".from", "!has(self.from) || size(self.from) > 0", sendersEmpty + "; " + senderFix}
}

func triggerRules() []rule {
	return []rule{
		{"", count(triggerKinds) + " > 0", "says not when to fire; add one of " + list(triggerKinds)},
		{"", count(triggerKinds) + " < 2", "has more than one of " + list(triggerKinds) + "; keep one, and make a trigger of each other"},
		{".every", atLeast("every", minEvery), "is too short; write " + minEvery.String() + " or more"},
		{".jitter", "!has(self.jitter) || has(self.every)", "goes with every only; leave it out"},
		{".jitter", "!has(self.every) || !" + durationForm.matches("self.every") + " || " + ifDuration("jitter", "duration(self.jitter) < duration(self.every)"), "is not less than every; make it shorter"},
		{".timezone", "!has(self.timezone) || has(self.cron)", "goes with cron only; leave it out"},
		{".timezone", "!has(self.timezone) || self.timezone != 'Local'", "is not a time zone; write a name of the IANA database, like Europe/Madrid"},
		{".wait", "!has(self.wait) || has(self.event) || has(self.alert)", "goes with event or alert only; leave it out"},
		{".wait", atLeast("wait", minWait), "is too short; write " + minWait.String() + " or more, or leave it out"},
		{".cron", `!has(self.cron) || self.cron.trim().matches('^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|[^ \\t]+([ \\t]+[^ \\t]+){4})$')`, "is not a cron expression; " + cronFix},
	}
}

func (s structural) sensorRules() []rule {
	kinds := s.kinds.sensorNames()
	return []rule{
		{"", count(kinds) + " > 0", "has no kind; add one of " + list(kinds)},
		{"", count(kinds) + " < 2", "has several kinds; keep one, and make a sensor of each other"},
		{".name", "!(self.name in " + celList(regoKeywords) + ")", "is a word of Rego; choose another"},
		positiveRule("staleAfter", "leave it out, and age is not judged"),
		positiveRule("timeout", "leave it out for 5s"),
	}
}

func positiveRule(field, fix string) rule {
	return rule{"." + field, ifDuration(field, "duration(self."+field+") > duration('0s')"), "must be more than 0s; " + fix}
}

// ifDuration is a CEL condition on a duration that may be absent. What is no duration has a
// sentence of its own.
func ifDuration(field, condition string) string {
	return "!has(self." + field + ") || !" + durationForm.matches("self."+field) + " || " + condition
}

func atLeast(field string, least time.Duration) string {
	return ifDuration(field, "duration(self."+field+") >= duration('"+least.String()+"')")
}

// isWebURL is the CEL condition that an expression is an HTTP URL with a host.
func isWebURL(expr string) string {
	return fmt.Sprintf("isURL(%s) && url(%s).getScheme() in ['http', 'https'] && url(%s).getHostname() != ''", expr, expr, expr)
}

func noUserinfo(expr string) string { return "!" + expr + ".matches('^[a-zA-Z]+://[^/?#]*@')" }

// addressRules reject URLs with a password, so that none gets into the cluster's store. They
// cover the fields that isURLField knows.
func addressRules(at map[string]any) []rule {
	var out []rule
	for _, name := range sortedKeys(at) {
		if isURLField(name) {
			out = append(out, rule{"." + name, "!has(self." + name + ") || " + noUserinfo("self."+name), "has a URL with a user in it; " + userinfoFix})
		}
	}
	return out
}

// isURLField reports whether a field of that name is a URL, in every configuration.
func isURLField(field string) bool {
	return field == "url" || field == "address" || field == "approvalNotify"
}

// exactlyOne is the CEL condition that exactly one of the fields is set.
func exactlyOne(fields ...string) string { return count(fields) + " == 1" }

// count is the CEL expression for the number of fields that are set.
func count(fields []string) string {
	has := make([]string, len(fields))
	for i, f := range fields {
		has[i] = "has(self." + celName(f) + ")"
	}
	return "[" + strings.Join(has, ", ") + "].filter(x, x).size()"
}

func celList(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = "'" + word + "'"
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// celName escapes a field name for CEL, which reserves some words and characters.
func celName(field string) string {
	words := []string{"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop", "namespace", "null", "package", "return", "true", "var", "void", "while"}
	if slices.Contains(words, field) {
		return "__" + field + "__"
	}
	return strings.NewReplacer("__", "__underscores__", ".", "__dot__", "-", "__dash__", "/", "__slash__").Replace(field)
}
