package sensors

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// DriftConfig compares the distribution that a Prometheus query returns with a reference. The
// value is an object with several statistics and their inputs, for a policy to judge.
type DriftConfig struct {
	Query      string            `json:"query" required:"true" doc:"PromQL whose answer is a count for each bin of each target, such as sum by (namespace, deployment, le) (increase(confidence_bucket[10m])); of counts, so no rate()"`
	Bins       string            `json:"bins" required:"true" doc:"label of the answer that tells the bins apart: le for a classic histogram, whose cumulative buckets are taken apart, or any other, like class"`
	Reference  DriftReference    `json:"reference" required:"true" doc:"what it is compared with"`
	MinSamples int               `json:"minSamples,omitempty" default:"100" min:"1" doc:"with fewer samples, counted now or in the reference, the signal is empty: too few to tell"`
	Smoothing  float64           `json:"smoothing,omitempty" default:"0.0001" doc:"share that a bin with less counts as, for psi, and in a reference of shares for chi2 too"`
	Match      map[string]string `json:"match,omitempty" doc:"label of the answer: field (namespace, name, kind) or label of the target, as of the sensor prometheus"`

	Address     string              `json:"address,omitempty" doc:"base URL of the server, instead of the one of --prometheus"`
	BasicAuth   *manifest.BasicAuth `json:"basicAuth,omitempty" doc:"user and password"`
	BearerToken *manifest.Secret    `json:"bearerToken,omitempty" doc:"token sent as Authorization: Bearer"`
	Headers     manifest.Headers    `json:"headers,omitempty" doc:"headers to send, by name: a text, or a reference where it is secret, as in X-Scope-OrgID: team-a"`
	TLS         *TLS                `json:"tls,omitempty" doc:"certificates"`
}

// DriftReference is the distribution to compare with. Exactly one field is set.
type DriftReference struct {
	Query  string             `json:"query,omitempty" doc:"PromQL like query, of a time that was good: with offset 1d, say"`
	Counts map[string]float64 `json:"counts,omitempty" doc:"bin: how many fell into it, not cumulative; a histogram's bins by their upper bound, the last one +Inf"`
	Shares map[string]float64 `json:"shares,omitempty" doc:"bin: its part of the whole, where that is known, not counted; they add up to 1"`
}

// ValueType returns the JSON type of the signal's value.
func (*DriftConfig) ValueType() string { return "object" }

// ValueSchema returns the JSON Schema of the signal's value: ks exists for histograms only,
// and reference_samples unless the reference is given as shares.
func (c *DriftConfig) ValueSchema() map[string]any {
	fields := map[string]any{
		"psi": typeSchema("number"), "js": typeSchema("number"), "chi2": typeSchema("number"), "p_value": typeSchema("number"),
		"samples": typeSchema("number"), "shares": mapSchema("number"), "reference": mapSchema("number"),
	}
	if (binning{label: c.Bins}).ordered() {
		fields["ks"] = typeSchema("number")
	}
	if c.Reference.Shares == nil {
		fields["reference_samples"] = typeSchema("number")
	}
	return objectSchema(fields, "chi2", "p_value")
}

// SecretsTo returns the address that basicAuth, bearerToken and headers are sent to; "" is the
// default server's.
func (c *DriftConfig) SecretsTo() string { return c.Address }

func (c *DriftConfig) access() access {
	return access{basic: c.BasicAuth, bearer: c.BearerToken, headers: c.Headers, tls: c.TLS, limit: serverBodyLimit}
}

// Check returns mistakes in the query, the bins, the reference and the address.
func (c *DriftConfig) Check() mistake.Mistakes {
	mistakes := append(c.access().check(), checkCounts(c.Query)...)
	if c.Address != "" {
		mistakes = append(mistakes, checkServer("address", c.Address)...)
	}
	if c.Bins != "" && !model.UTF8Validation.IsValidLabelName(c.Bins) {
		mistakes.Add("bins", fmt.Sprintf("%q is not a label", c.Bins), "")
	}
	if c.MinSamples < 1 {
		mistakes.Add("minSamples", "must be at least 1", "")
	}
	if !(c.Smoothing > 0 && c.Smoothing <= 0.01) {
		mistakes.Add("smoothing", "must be above 0 and at most 0.01", "")
	}
	for _, p := range sortedMatches(c.Match) {
		switch {
		case !model.UTF8Validation.IsValidLabelName(p.label) || p.field == "":
			mistakes.Add("match", fmt.Sprintf("%q: %q is not a label and a field", p.label, p.field), "")
		case p.label == c.Bins:
			mistakes.Add("match", fmt.Sprintf("%q tells the bins apart, not the targets", p.label), "")
		}
	}
	if c.Reference.Query != "" && c.Reference.Query == c.Query {
		mistakes.Add("reference.query", "is the query itself, from which nothing can drift", "add an offset to it, such as offset 1d")
	}
	return append(mistakes, c.checkFixed()...)
}

// checkFixed returns a fixed reference that contradicts the bins or minSamples.
func (c *DriftConfig) checkFixed() (mistakes mistake.Mistakes) {
	field, bins := c.Reference.bins()
	if bins == nil || c.Bins == "" {
		return nil
	}
	d, wrong := binning{label: c.Bins}.fixed(bins)
	for _, message := range wrong {
		mistakes.Add("reference."+field, message, "")
	}
	if few := c.MinSamples; field == "counts" && wrong == nil && d.total() < float64(few) {
		mistakes.Add("reference.counts", fmt.Sprintf("add up to %g, fewer than minSamples, which is %d", d.total(), few), "")
	}
	return mistakes
}

// Check returns a reference without exactly one field, and invalid numbers.
func (r DriftReference) Check() (mistakes mistake.Mistakes) {
	set := 0
	for _, isSet := range []bool{r.Query != "", r.Counts != nil, r.Shares != nil} {
		if isSet {
			set++
		}
	}
	if set != 1 {
		return mistake.Mistakes{{Message: "wants exactly one of query, counts, shares"}}
	}
	mistakes = checkCounts(r.Query)
	field, bins := r.bins()
	if bins == nil {
		return mistakes
	}
	if len(bins) < 2 || len(bins) > maxBins {
		mistakes.Add(field, fmt.Sprintf("has %d bins", len(bins)), fmt.Sprintf("give 2 to %d", maxBins))
	}
	total := 0.0
	for _, name := range slices.Sorted(maps.Keys(bins)) {
		if err := checkCount(bins[name]); err != nil {
			mistakes.Add(field, fmt.Sprintf("%q %v", name, err), "")
		}
		total += bins[name]
	}
	if field == "shares" && math.Abs(total-1) > 0.02 {
		mistakes.Add("shares", fmt.Sprintf("add up to %g, not to 1", total), "")
	}
	return mistakes
}

// bins returns the fixed distribution and the name of its field; nil if the reference is a
// query.
func (r DriftReference) bins() (field string, bins map[string]float64) {
	if r.Shares != nil {
		return "shares", r.Shares
	}
	return "counts", r.Counts
}

// checkCounts returns a mistake if a query can't return a count for each bin. It ignores "".
func checkCounts(query string) mistake.Mistakes {
	if query == "" {
		return nil
	}
	if mistakes := checkQuery(query); mistakes != nil {
		return mistakes
	}
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return mistake.Mistakes{{Path: "query", Message: err.Error()}}
	}
	if expr.Type() == parser.ValueTypeScalar {
		return mistake.Mistakes{{Path: "query", Message: "1:1: is one number, not one for each bin"}}
	}
	for {
		switch e := expr.(type) {
		case *parser.ParenExpr:
			expr = e.Expr
		case *parser.AggregateExpr:
			expr = e.Expr
		case *parser.Call:
			if e.Func.Name == "rate" || e.Func.Name == "irate" {
				return mistake.Mistakes{{Path: "query", Message: e.Func.Name + "() is per second, and how many were counted can't be told from it", Fix: "use increase()"}}
			}
			return nil
		default:
			return nil
		}
	}
}
