package manifest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// walkFields visits every exported field in a value and every item of its lists and maps, in
// pre-order, with its path. An item has the struct field of its list. Values in fields of
// type any are visited too.
func walkFields(v reflect.Value, at string, visit func(at string, f reflect.StructField, v reflect.Value)) {
	walkField(v, at, reflect.StructField{}, visit)
}

func walkField(v reflect.Value, at string, f reflect.StructField, visit func(string, reflect.StructField, reflect.Value)) {
	switch v.Kind() {
	case reflect.Invalid:
		return
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			walkField(v.Elem(), at, f, visit)
		}
		return
	}
	if v.CanInterface() { // of an unexported embedded struct only the fields are visited
		visit(at, f, v)
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			walkField(v.Index(i), fmt.Sprintf("%s[%d]", at, i), f, visit)
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, key := range keys {
			walkField(v.MapIndex(key), fmt.Sprintf("%s.%v", at, key), f, visit)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[Sensor]() {
			sensor := v.Interface().(Sensor)
			walkField(reflect.ValueOf(sensor.Config), at+"."+sensor.Kind, reflect.StructField{}, visit)
		}
		for i := range v.NumField() {
			inner := v.Type().Field(i)
			name, _, _ := strings.Cut(inner.Tag.Get("json"), ",")
			if !inner.IsExported() && !inner.Anonymous || name == "-" {
				continue
			}
			below := at
			if name != "" {
				below = strings.TrimPrefix(at+"."+name, ".")
			}
			walkField(v.Field(i), below, inner, visit)
		}
	}
}

func sensorPath(i int, s Sensor) string { return fmt.Sprintf("spec.sensors[%d].%s", i, s.Kind) }

func credentialPath(i int) string { return fmt.Sprintf("spec.credentials[%d]", i) }
