package pod

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// expand replaces $(NAME) by its value with the rules of Kubernetes: $$ is an escaped $,
// and a reference to an undefined name is left unchanged.
func expand(text string, lookup func(string) (string, bool)) string {
	var out strings.Builder
	for {
		at := strings.IndexByte(text, '$')
		if at < 0 || at == len(text)-1 {
			out.WriteString(text)
			return out.String()
		}
		out.WriteString(text[:at])
		text = text[at:]
		switch text[1] {
		case '$':
			out.WriteByte('$')
			text = text[2:]
		case '(':
			end := strings.IndexByte(text, ')')
			if end < 0 {
				out.WriteString(text)
				return out.String()
			}
			if v, ok := lookup(text[2:end]); ok {
				out.WriteString(v)
			} else {
				out.WriteString(text[:end+1])
			}
			text = text[end+1:]
		default:
			out.WriteByte('$')
			text = text[1:]
		}
	}
}

// variables are the environment variables of the container in order of definition.
type variables struct {
	names  []string
	values map[string]string
}

func (v *variables) set(name, value string) {
	if _, ok := v.values[name]; !ok {
		v.names = append(v.names, name)
	}
	v.values[name] = value
}

func (v *variables) get(name string) (string, bool) {
	value, ok := v.values[name]
	return value, ok
}

func (v *variables) list() []string {
	out := make([]string, 0, len(v.names))
	for _, n := range v.names {
		out = append(out, n+"="+v.values[n])
	}
	return out
}

// PortVariable returns the name of the environment variable that holds a named port.
func PortVariable(name string) string {
	return "PORT_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// environment returns the variables of a process with these ports.
func (c *Config) environment(ports []Port) (*variables, error) {
	v := &variables{values: map[string]string{}}
	for i, p := range ports {
		if i == 0 {
			v.set("PORT", strconv.Itoa(p.Host))
		}
		if p.Name != "" {
			v.set(PortVariable(p.Name), strconv.Itoa(p.Host))
		}
	}
	for _, e := range c.Spec.Containers[0].Env {
		if from := e.ValueFrom; from != nil {
			value, err := c.valueOf(from)
			if err != nil {
				return nil, fmt.Errorf("env %s: %w", e.Name, err)
			}
			v.set(e.Name, value)
			continue
		}
		v.set(e.Name, expand(e.Value, v.get))
	}
	return v, nil
}

func (c *Config) valueOf(from *corev1.EnvVarSource) (string, error) {
	if from.ResourceFieldRef != nil {
		return c.resource(from.ResourceFieldRef)
	}
	return c.field(from.FieldRef)
}

var fieldPaths = []string{"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.podIP", "status.podIPs", "status.hostIP", "status.hostIPs"}

// field returns the value of a fieldRef.
func (c *Config) field(ref *corev1.ObjectFieldSelector) (string, error) {
	if ref == nil {
		return "", fmt.Errorf("only fieldRef and resourceFieldRef can be honoured here")
	}
	switch ref.FieldPath {
	case "metadata.name":
		return c.Name, nil
	case "metadata.namespace":
		return c.Namespace, nil
	case "metadata.uid":
		return c.UID, nil
	case "spec.nodeName":
		return c.Node, nil
	case "spec.serviceAccountName":
		return c.Spec.ServiceAccountName, nil
	case "status.podIP", "status.podIPs":
		return c.IP, nil
	case "status.hostIP", "status.hostIPs":
		return c.HostIP, nil
	}
	for prefix, values := range map[string]map[string]string{"metadata.labels['": c.Labels, "metadata.annotations['": c.Annotations} {
		if rest, ok := strings.CutPrefix(ref.FieldPath, prefix); ok {
			if key, ok := strings.CutSuffix(rest, "']"); ok {
				return values[key], nil
			}
		}
	}
	known := append(slices.Clone(fieldPaths), "metadata.labels['KEY']", "metadata.annotations['KEY']")
	return "", fmt.Errorf("%q can't be read here; use one of %s", ref.FieldPath, strings.Join(known, ", "))
}
