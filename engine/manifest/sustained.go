package manifest

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Sustained asks for how long the values of a sensor have held.
type Sustained struct {
	Over  Duration `json:"over" required:"true" doc:"the span that min, max and avg are of; they are there once the samples cover all of it, and some trigger has to come at least twice within it"`
	Above *Bound   `json:"above,omitempty" doc:"a number, or {param: NAME} of spec.params: above_ns is for how long each sample has been more than this"`
	Below *Bound   `json:"below,omitempty" doc:"a number, or {param: NAME} of spec.params: below_ns is for how long each sample has been less than this"`
}

// Bound is a number, or the name of a param that is one.
type Bound struct {
	Param string `json:"param" required:"true" doc:"name of a number in spec.params"`
	// Number is the number that is written; 0 for a param.
	Number float64 `json:"-"`
}

// MarshalJSON writes the form of the manifest.
func (b Bound) MarshalJSON() ([]byte, error) {
	if b.Param == "" {
		return json.Marshal(b.Number)
	}
	return json.Marshal(map[string]string{"param": b.Param})
}

const boundFix = "write a number, or {param: NAME} for a number of spec.params"

// bound decodes a bound that is one value.
func (d *decoder) bound(n *yaml.Node, p *fieldPath, into *Bound) {
	if tag := n.ShortTag(); tag != "!!int" && tag != "!!float" {
		d.reject(p, "must be a number, not "+shown(n), boundFix)
		return
	}
	into.Number, _ = d.number(n, p)
}

// number returns the number of a bound; false where its param is none.
func (b *Bound) number(params map[string]any) (float64, bool) {
	if b.Param == "" {
		return b.Number, true
	}
	switch n := params[b.Param].(type) {
	case float64:
		return n, true
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	}
	return 0, false
}

// Engine converts the setting for the engine, with the numbers of the params; nil for nil.
func (s *Sustained) Engine(params map[string]any) *engine.SustainedSpec {
	if s == nil {
		return nil
	}
	out := &engine.SustainedSpec{Over: s.Over.Duration}
	for _, b := range []struct {
		from *Bound
		to   **float64
	}{{s.Above, &out.Above}, {s.Below, &out.Below}} {
		if b.from == nil {
			continue
		}
		if n, is := b.from.number(params); is {
			*b.to = &n
		}
	}
	return out
}

const (
	overFix       = "write a span like 1m"
	notNumberedBy = "leave it out, or sample a number"
)

// sustained checks the setting of one sensor. cadence is fastest of the agent's triggers.
func (v *validator) sustained(p *fieldPath, s Sensor, cadence func() (time.Duration, bool)) {
	if s.Sustained == nil || !v.has(p) {
		return
	}
	over := p.field("over")
	v.positive(over, s.Sustained.Over, overFix)
	if of := valueSchemaOf(s.Config); of != nil && s.Since == "" && of["type"] != "number" && of["type"] != "integer" {
		v.reject(p, fmt.Sprintf("compares numbers, and what this sensor samples is of type %v", of["type"]), notNumberedBy)
		return
	}
	v.sustainedBound(p.field("above"), s.Sustained.Above)
	v.sustainedBound(p.field("below"), s.Sustained.Below)
	if v.readable(over) && s.Sustained.Over.Duration > 0 && v.readable(v.root.field("spec").field("triggers")) {
		v.covered(over, s.Sustained.Over.Duration, cadence)
	}
}

func (v *validator) sustainedBound(p *fieldPath, b *Bound) {
	params := v.root.field("spec").field("params")
	if b == nil || b.Param == "" || !v.readable(p.field("param")) || !v.readable(params) {
		return
	}
	at, set := p.field("param"), v.agent.Spec.Params
	value, there := set[b.Param]
	if !there {
		fix := "add it there, or write a number in its place"
		if near := closest(b.Param, sortedKeys(set)); near != "" {
			fix = "did you mean " + near + "?"
		}
		v.reject(at, quote(b.Param)+" is not in spec.params", fix)
	} else if _, is := b.number(set); !is {
		v.reject(at, "spec.params."+b.Param+" is "+TypeInWords(JSONType(value))+", and a bound is a number", "write a number there, or here in place of the param")
	}
}

// covered rejects a span within which no trigger comes twice. Triggers that others fire may
// come at any rate.
func (v *validator) covered(p *fieldPath, over time.Duration, cadence func() (time.Duration, bool)) {
	switch interval, demanded := cadence(); {
	case demanded || interval <= over/2:
	case interval == never:
		v.reject(p, "has no effect: a span is covered where a trigger comes at least twice within it, and none comes twice", "add a trigger with every: "+(over/2).String()+" or less")
	default:
		v.reject(p, fmt.Sprintf("has no effect: a span is covered where a trigger comes at least twice within it, and here the fastest comes each %s", interval),
			fmt.Sprintf("write %s or more, or a trigger that comes more often", 2*interval))
	}
}

// never is the interval of an agent whose triggers come once, or when others fire them.
const never = time.Duration(math.MaxInt64)

// fastest returns the longest time between two firings of the trigger by time that comes most
// often, and whether there are triggers that others fire.
func fastest(triggers []Trigger) (interval time.Duration, demanded bool) {
	interval = never
	for _, t := range triggers {
		switch {
		case t.Every.Duration > 0:
			interval = min(interval, t.Every.Duration+t.Jitter.Duration)
		case t.Cron != "":
			interval = min(interval, cronInterval(t))
		case t.Event != nil || t.Alert != nil || t.Watch != nil:
			demanded = true
		}
	}
	return interval, demanded
}

// cronTimes and cronYears bound how many times of a cron expression are looked at.
const (
	cronTimes = 1500
	cronYears = 2
)

// cronInterval returns the shortest time between two of a cron trigger's times; never where
// it has none that can be read.
func cronInterval(t Trigger) time.Duration {
	times, err := schedule(t.Cron, t.Timezone)
	if err != nil {
		return never
	}
	interval, at := never, times.Next(leapYear)
	for range cronTimes {
		next := times.Next(at)
		if at.IsZero() || next.IsZero() || next.After(leapYear.AddDate(cronYears, 0, 0)) {
			break
		}
		interval, at = min(interval, next.Sub(at)), next
		if interval == time.Minute { // no expression is faster
			break
		}
	}
	return interval
}

// SensorParams returns the names of the params that bounds of sensors refer to.
func (a *Agent) SensorParams() (out []string) {
	for _, s := range a.Spec.Sensors {
		if s.Sustained == nil {
			continue
		}
		for _, b := range []*Bound{s.Sustained.Above, s.Sustained.Below} {
			if b != nil && b.Param != "" {
				out = append(out, b.Param)
			}
		}
	}
	return out
}

// uncertainSustained returns the indexes of sensors whose span is covered only while others
// fire the agent often enough.
func (a *Agent) uncertainSustained() (out []int) {
	interval, demanded := fastest(a.Spec.Triggers)
	for i, s := range a.Spec.Sensors {
		if s.Sustained != nil && demanded && interval > s.Sustained.Over.Duration/2 {
			out = append(out, i)
		}
	}
	return out
}

// sustainedSchema is the schema of input.signals.NAME.sustained.
func sustainedSchema(s *Sustained) map[string]any {
	properties := map[string]any{
		"min":     typeSchema("number", "the least sample of the span; absent until the samples cover all of it, as min, max and avg are together"),
		"max":     typeSchema("number", "the greatest sample of the span"),
		"avg":     typeSchema("number", "the mean of the samples of the span"),
		"samples": typeSchema("integer", "how many samples of the span there are, with the newest from before it"),
		"span_ns": typeSchema("integer", "nanoseconds from the first sample to the last, without one that was not ok and without a pause longer than over; it may be longer than over"),
	}
	if s.Above != nil {
		properties["above_ns"] = typeSchema("integer", "with above: nanoseconds for which each sample up to the last has been more than it; 0 where the last is not")
	}
	if s.Below != nil {
		properties["below_ns"] = typeSchema("integer", "with below: nanoseconds for which each sample up to the last has been less than it; 0 where the last is not")
	}
	return objectSchema("of a sensor with sustained, only where the state is ok: what its latest samples had in common", properties, "min", "max", "avg")
}
