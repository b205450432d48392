package processnode

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

// configSources reads the ConfigMaps and Secrets of a namespace, each one once.
type configSources struct {
	ctx       context.Context // of one preparation
	core      *corev1client.CoreV1Client
	namespace string
	cache     map[string]map[string][]byte
}

func newConfigSources(ctx context.Context, core *corev1client.CoreV1Client, namespace string) *configSources {
	return &configSources{ctx: ctx, core: core, namespace: namespace, cache: map[string]map[string][]byte{}}
}

const (
	configMap = "ConfigMap"
	secret    = "Secret"
)

// get returns the entries of an object; nil without an error for an optional one that is
// missing.
func (s *configSources) get(kind, name string, optional *bool) (map[string][]byte, error) {
	if data, ok := s.cache[kind+"/"+name]; ok {
		return data, nil
	}
	data := map[string][]byte{}
	var err error
	if kind == configMap {
		var o *corev1.ConfigMap
		if o, err = s.core.ConfigMaps(s.namespace).Get(s.ctx, name, metav1.GetOptions{}); err == nil {
			maps.Copy(data, o.BinaryData)
			for k, v := range o.Data {
				data[k] = []byte(v)
			}
		}
	} else {
		var o *corev1.Secret
		if o, err = s.core.Secrets(s.namespace).Get(s.ctx, name, metav1.GetOptions{}); err == nil {
			maps.Copy(data, o.Data)
		}
	}
	if apierrors.IsNotFound(err) && optional != nil && *optional {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", kind, name, err)
	}
	s.cache[kind+"/"+name] = data
	return data, nil
}

// value returns an entry; present is false for an optional one that is missing.
func (s *configSources) value(kind, name, key string, optional *bool) (value string, present bool, err error) {
	data, err := s.get(kind, name, optional)
	if err != nil {
		return "", false, err
	}
	raw, ok := data[key]
	if !ok && (optional == nil || !*optional) {
		return "", false, fmt.Errorf("%s %s has no key %q", kind, name, key)
	}
	return string(raw), ok, nil
}

// env returns the container's environment with every reference to a ConfigMap or Secret
// replaced by its literal value.
func (s *configSources) env(c *corev1.Container, folders []corev1.EnvVar) ([]corev1.EnvVar, error) {
	out := slices.Clone(folders)
	var errs []error
	for _, from := range c.EnvFrom {
		var data map[string][]byte
		var err error
		switch {
		case from.ConfigMapRef != nil:
			data, err = s.get(configMap, from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
		case from.SecretRef != nil:
			data, err = s.get(secret, from.SecretRef.Name, from.SecretRef.Optional)
		}
		if err != nil {
			errs = append(errs, err)
		}
		for _, key := range slices.Sorted(maps.Keys(data)) {
			out = append(out, literalVar(from.Prefix+key, string(data[key])))
		}
	}
	for _, e := range c.Env {
		var value string
		var present bool
		var err error
		switch from := e.ValueFrom; {
		case from != nil && from.ConfigMapKeyRef != nil:
			value, present, err = s.value(configMap, from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Key, from.ConfigMapKeyRef.Optional)
		case from != nil && from.SecretKeyRef != nil:
			value, present, err = s.value(secret, from.SecretKeyRef.Name, from.SecretKeyRef.Key, from.SecretKeyRef.Optional)
		default:
			out = append(out, e)
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("env %s: %w", e.Name, err))
		}
		if present {
			out = append(out, literalVar(e.Name, value))
		}
	}
	return out, errors.Join(errs...)
}

// literalVar returns a variable whose value is not expanded: $ is escaped as $$.
func literalVar(name, value string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, Value: strings.ReplaceAll(value, "$", "$$")}
}
