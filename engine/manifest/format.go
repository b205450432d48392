package manifest

import "regexp"

// format is the form of a string. `scanflow check`, the schema for editors and the custom
// resource take the same strings; the first and the last refuse others by the same sentence.
type format struct {
	*regexp.Regexp
	message, fix string
}

// sentence is the refusal without the value.
func (f *format) sentence() string {
	if f.fix == "" {
		return f.message
	}
	return f.message + "; " + f.fix
}

var (
	durationForm = &format{regexp.MustCompile(durationPattern), "must be a duration with a unit, like 5s or 1m30s", ""}
	shareForm    = &format{regexp.MustCompile(sharePattern), "is not a part of a fleet", "write a number of targets like 3, or a percentage like 10%"}
	dnsPart      = &format{regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`), "is not a DNS label of at most 63 characters", dnsFix}
	dnsParts     = &format{regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`), "is not a DNS name of at most 253 characters", dnsFix}
	// dnsPartOrEvery is a namespace, or all of them.
	dnsPartOrEvery = &format{regexp.MustCompile(`^([a-z0-9]([-a-z0-9]*[a-z0-9])?|\*)$`), dnsPart.message, dnsFix + `, or "*" for every namespace`}
	// senderName is the name of a declared sender, or the namespace/name of an agent.
	// The pattern is short, as the API server estimates the cost of a rule by that.
	senderName = &format{regexp.MustCompile(`^[a-z\d](([a-z\d.-]*[a-z\d])?|([a-z\d-]*[a-z\d])?/[a-z\d]([a-z\d-]*[a-z\d])?)$`), "is nobody's name", senderFix}
	signalName = &format{regexp.MustCompile(`^[a-z][a-z0-9_]*$`), "can't be written as input.signals.NAME", nameFix}
	markName   = &format{signalName.Regexp, "can't be the name of a mark", nameFix}
	// watchedField is a path of plain names. List items, and keys with a dot or a slash such as
	// labels have, are not supported.
	watchedField = &format{regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*$`), "is not the path of a field", "write names with dots between them, like status.readyReplicas"}
	strategyName = &format{regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$`), "is not the name of a strategy", "write DOMAIN.NAME, like serving.autoscale, for the package scanflow.strategies.serving.autoscale"}
)

const (
	dnsFix  = "use lower-case letters, digits and -, beginning and ending with a letter or digit"
	nameFix = "use a lower-case letter, then lower-case letters, digits and _"
)

// durationPattern matches a Duration, and sharePattern a Share without the bounds of a
// percentage.
const (
	durationPattern = `^([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$|^0$`
	sharePattern    = `^[0-9]*\.?[0-9]+%$|^[0-9]*[1-9][0-9]*$`
)

// rejectForm rejects a value that does not have a form.
func (v *validator) rejectForm(p *fieldPath, value string, f *format) {
	v.reject(p, quote(value)+" "+f.message, f.fix)
}

// matches is the CEL condition that an expression has the form.
func (f *format) matches(expr string) string { return expr + ".matches(r'" + f.String() + "')" }

// withSentence has the API server refuse what has not the form by a sentence. A `pattern`
// would be refused by the regular expression.
func withSentence(schema map[string]any, f *format, rule string) {
	delete(schema, "pattern")
	schema[validations] = []any{map[string]any{"rule": rule, "message": f.sentence()}}
}
