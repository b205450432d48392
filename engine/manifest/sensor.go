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
		v.oneKind(at)
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
