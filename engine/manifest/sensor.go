package manifest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
)

// extra is a sensor's kind: the key that names it holds its configuration.
func (s *Sensor) extra(kinds Kinds, key string) (any, bool) {
	make, ok := kinds.Sensors[key]
	if !ok {
		return nil, false
	}
	config := make()
	if s.Kind == "" {
		s.Kind, s.Config = key, config
	}
	return config, true
}

func (s *Sensor) extras(kinds Kinds) (string, []string) { return "sensor kind", kinds.sensorNames() }

// MarshalJSON writes the sensor as a manifest has it.
func (s Sensor) MarshalJSON() ([]byte, error) {
	out := map[string]any{"name": s.Name}
	if s.StaleAfter.Duration != 0 {
		out["staleAfter"] = s.StaleAfter
	}
	if s.Timeout.Duration != 0 {
		out["timeout"] = s.Timeout
	}
	if s.Since != "" {
		out["since"] = s.Since
	}
	if s.Kind != "" {
		out[s.Kind] = s.Config
	}
	return json.Marshal(out)
}

var (
	signalName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	regoName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// regoWords can't follow a dot in every version of Rego that may read a policy.
var regoWords = []string{"as", "contains", "default", "else", "every", "false", "if", "import", "in", "not", "null", "package", "some", "true", "with"}

func (v *validator) sensors(p *place) {
	names := map[string]int{}
	for i, s := range v.agent.Spec.Sensors {
		at := p.item(i)
		v.unique(at.field("name"), s.Name, names, "a sensor")
		if name := at.field("name"); v.readable(name) && s.Name != "" {
			switch {
			case !signalName.MatchString(s.Name):
				v.bad(name, quote(s.Name)+" can't be written as input.signals.NAME", "use a lower-case letter, then lower-case letters, digits and _")
			case slices.Contains(regoWords, s.Name):
				v.bad(name, quote(s.Name)+" is a word of Rego", "choose another, like "+s.Name+"_value")
			}
		}
		v.positive(at.field("staleAfter"), s.StaleAfter, "leave it out, and age is not judged")
		v.positive(at.field("timeout"), s.Timeout, "leave it out for 5s")
		if d, has := requestTimeout(s); has && s.Kind != "" {
			v.positive(at.field(s.Kind).field("timeout"), d, "leave it out for 2s")
		}
		v.since(at.field("since"), s)
		v.oneKind(at)
	}
}

// requestTimeout is the bound of one request, of a kind of sensor that has one.
func requestTimeout(s Sensor) (Duration, bool) {
	v := reflect.Indirect(reflect.ValueOf(s.Config))
	if v.Kind() != reflect.Struct {
		return Duration{}, false
	}
	field := v.FieldByName("Timeout")
	if !field.IsValid() {
		return Duration{}, false
	}
	d, is := field.Interface().(Duration)
	return d, is
}

// since wants the name of a mark, and numbers to count.
func (v *validator) since(p *place, s Sensor) {
	if !v.written(p) {
		return
	}
	if !signalName.MatchString(s.Since) {
		v.bad(p, quote(s.Since)+" can't be the name of a mark", "use a lower-case letter, then lower-case letters, digits and _")
	}
	if of := valuesOf(s.Config); of != nil && of["type"] != "number" && of["type"] != "integer" {
		v.bad(p, fmt.Sprintf("counts by how much a number grows, and what this sensor samples is of type %v", of["type"]), "leave it out, or sample a number")
	}
}

func (v *validator) oneKind(p *place) {
	kinds := v.kinds.sensorNames()
	set, sure := v.among(p, kinds, fieldNames(fieldsOf(reflect.TypeFor[Sensor]())))
	switch {
	case len(set) > 1:
		v.bad(p, fmt.Sprintf("has %d kinds: %s", len(set), list(set)), "keep one, and make a sensor of each other")
	case len(set) == 0 && sure:
		v.bad(p, "has no kind", "add one of "+list(kinds))
	}
}
