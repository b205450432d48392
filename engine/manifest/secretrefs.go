package manifest

import "reflect"

// SecretUse is a place where an agent refers to a key of a Kubernetes Secret.
type SecretUse struct {
	// Field is the path of the reference, like "spec.credentials[0].bearerToken".
	Field string
	// Sensor is the index of the sensor with the reference; -1 for a credential.
	Sensor int
	Ref    SecretKeyRef
	// To is the address that the secret is sent to: a URL with placeholders, or one that
	// the addresses are below. "" if the manifest has none.
	To string
}

// SecretSender is the configuration of a sensor that sends secrets.
type SecretSender interface {
	// SecretsTo is the address in the manifest that the secrets are sent to, "" if it has
	// none.
	SecretsTo() string
}

// SecretUses returns all references to Kubernetes Secrets in a manifest. It finds them by
// their type, in the configuration of any sensor.
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
