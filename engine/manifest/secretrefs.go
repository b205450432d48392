package manifest

import "reflect"

// SecretUse is a place where an agent refers to a key of a Kubernetes Secret.
type SecretUse struct {
	// Field is the path of the reference, like "spec.credentials[0].bearerToken".
	Field string
	// Sensor is the index of the sensor that it belongs to; -1 is none's.
	Sensor int
	Ref    SecretKeyRef
	// To is the address that it is sent to, as the manifest has it: with placeholders, or
	// with a path that addresses are below. "" where the manifest names none.
	To string
}

// SecretSender is a sensor's configuration with a secret in it.
type SecretSender interface {
	// SecretsTo is the address that its secrets are sent to, as the manifest has it; ""
	// where the manifest names none.
	SecretsTo() string
}

// SecretUses are all references to Kubernetes Secrets in a manifest, whichever
// sensors it has: they are found by their type.
func (a *Agent) SecretUses() []SecretUse {
	var out []SecretUse
	walk := func(v any, at string, sensor int, to string) {
		walkFields(reflect.ValueOf(v), at, func(at string, _ reflect.StructField, v reflect.Value) {
			if s, is := v.Interface().(Secret); is && s.SecretKeyRef != nil {
				out = append(out, SecretUse{Field: at, Sensor: sensor, Ref: *s.SecretKeyRef, To: to})
			}
		})
	}
	for i, s := range a.Spec.Sensors {
		to := ""
		if sender, is := s.Config.(SecretSender); is {
			to = sender.SecretsTo()
		}
		walk(s.Config, sensorPath(i, s), i, to)
	}
	for i, c := range a.Spec.Credentials {
		walk(c, credentialPath(i), -1, c.URL)
	}
	return out
}
