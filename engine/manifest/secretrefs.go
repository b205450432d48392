package manifest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// SecretUse is a place where an agent refers to a key of a Kubernetes Secret.
type SecretUse struct {
	// Field is the path of the reference, like "spec.credentials[0].bearerToken".
	Field string
	// Sensor is the index of the sensor that it belongs to; -1 is none's.
	Sensor int
	Ref    SecretKeyRef
}

// SecretUses are all references to Kubernetes Secrets in a manifest, whichever
// sensors it has: they are found by their type.
func (a *Agent) SecretUses() []SecretUse {
	var out []SecretUse
	find := func(v any, at string, sensor int) {
		walkSecrets(reflect.ValueOf(v), at, func(at string, s Secret) {
			if s.SecretKeyRef != nil {
				out = append(out, SecretUse{Field: at, Sensor: sensor, Ref: *s.SecretKeyRef})
			}
		})
	}
	for i, s := range a.Spec.Sensors {
		find(s.Config, fmt.Sprintf("spec.sensors[%d].%s", i, s.Kind), i)
	}
	find(a.Spec.Credentials, "spec.credentials", -1)
	return out
}

func walkSecrets(v reflect.Value, at string, found func(string, Secret)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			walkSecrets(v.Elem(), at, found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walkSecrets(v.Index(i), fmt.Sprintf("%s[%d]", at, i), found)
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, key := range keys {
			walkSecrets(v.MapIndex(key), fmt.Sprintf("%s.%v", at, key), found)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[Secret]() {
			found(at, v.Interface().(Secret))
			return
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() && !f.Anonymous {
				continue
			}
			below := at
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
				below += "." + name
			}
			walkSecrets(v.Field(i), below, found)
		}
	}
}
