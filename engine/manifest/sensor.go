package manifest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"sync"
	"time"
)

// extension implements extensible: the key of a sensor's kind has its configuration.
func (s *Sensor) extension(kinds Kinds, key string) (any, bool) {
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

func (s *Sensor) extensions(kinds Kinds) (string, []string) {
	return "sensor kind", kinds.sensorNames()
}

// MarshalJSON writes the form of the manifest.
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
	if s.Sustained != nil {
		out["sustained"] = s.Sustained
	}
	if s.Kind != "" {
		out[s.Kind] = s.Config
	}
	return json.Marshal(out)
}

var regoName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// regoKeywords can't follow a dot in some versions of Rego.
var regoKeywords = []string{"as", "contains", "default", "else", "every", "false", "if", "import", "in", "not", "null", "package", "some", "true", "with"}

func (v *validator) sensors(p *fieldPath) {
	names := map[string]int{}
	cadence := sync.OnceValues(func() (time.Duration, bool) { return fastest(v.agent.Spec.Triggers) })
	for i, s := range v.agent.Spec.Sensors {
		at := p.item(i)
		v.uniqueName(at.field("name"), s.Name, names, "a sensor")
		if name := at.field("name"); v.readable(name) && s.Name != "" {
			switch {
			case !signalName.MatchString(s.Name):
				v.rejectForm(name, s.Name, signalName)
			case slices.Contains(regoKeywords, s.Name):
				v.reject(name, quote(s.Name)+" is a word of Rego", "choose another, like "+s.Name+"_value")
			}
		}
		v.positive(at.field("staleAfter"), s.StaleAfter, "leave it out, and age is not judged")
		v.positive(at.field("timeout"), s.Timeout, "leave it out for 5s")
		if d, has := requestTimeout(s); has && s.Kind != "" {
			v.positive(at.field(s.Kind).field("timeout"), d, "leave it out for 2s")
		}
		v.since(at.field("since"), s)
		v.sensorKind(at)
		v.sustained(at.field("sustained"), s, cadence)
	}
}

// requestTimeout is the timeout of one request, for a kind of sensor that has one.
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

// since checks the name of the mark, and that the sensor samples a number.
func (v *validator) since(p *fieldPath, s Sensor) {
	if !v.written(p) {
		return
	}
	if !markName.MatchString(s.Since) {
		v.rejectForm(p, s.Since, markName)
	}
	if of := valueSchemaOf(s.Config); of != nil && of["type"] != "number" && of["type"] != "integer" {
		v.reject(p, fmt.Sprintf("counts by how much a number grows, and what this sensor samples is of type %v", of["type"]), "leave it out, or sample a number")
	}
}

func (v *validator) sensorKind(p *fieldPath) {
	kinds := v.kinds.sensorNames()
	set, complete := v.presentKeys(p, kinds, fieldNames(fieldsOf(reflect.TypeFor[Sensor]())))
	switch {
	case len(set) > 1:
		v.reject(p, fmt.Sprintf("has %d kinds: %s", len(set), list(set)), "keep one, and make a sensor of each other")
	case len(set) == 0 && complete:
		v.reject(p, "has no kind", "add one of "+list(kinds))
	}
}
