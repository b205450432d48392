package pod

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func list(pairs ...string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		out[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return out
}

func ref(what, divisor string) *corev1.ResourceFieldSelector {
	out := &corev1.ResourceFieldSelector{Resource: what}
	if divisor != "" {
		out.Divisor = resource.MustParse(divisor)
	}
	return out
}

func fieldRefEnv(r *corev1.ResourceFieldSelector) []corev1.EnvVar {
	return []corev1.EnvVar{{Name: "LIMIT", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: r}}}
}

func TestAContainerIsToldOfItsResourcesAsByAKubelet(t *testing.T) {
	for _, c := range []struct {
		limits, requests corev1.ResourceList
		what, divisor    string
		want             string
	}{
		{list("cpu", "150m"), nil, "limits.cpu", "1m", "150"},
		{list("cpu", "150m"), nil, "limits.cpu", "1", "1"},
		{list("cpu", "150m"), nil, "limits.cpu", "", "1"},
		{list("cpu", "1001m"), nil, "limits.cpu", "", "2"},
		{list("cpu", "2"), nil, "limits.cpu", "", "2"},
		{list("cpu", "2"), nil, "limits.cpu", "1m", "2000"},
		{list("cpu", "100u"), nil, "limits.cpu", "1m", "1"}, // less than a millicore is one
		{list("cpu", "0"), nil, "limits.cpu", "", "3"},      // as good as not set
		{nil, nil, "limits.cpu", "1m", "3000"},              // all that the node has
		{nil, list("cpu", "50m"), "limits.cpu", "", "3"},
		{nil, list("cpu", "50m"), "requests.cpu", "1m", "50"},
		{list("cpu", "70m"), nil, "requests.cpu", "1m", "70"}, // the API server sets it to the limit
		{list("cpu", "70m"), list("cpu", "20m"), "requests.cpu", "1m", "20"},
		{nil, nil, "requests.cpu", "1m", "0"},
		{list("memory", "64Mi"), nil, "limits.memory", "", "67108864"},
		{list("memory", "64Mi"), nil, "limits.memory", "1Mi", "64"},
		{list("memory", "65M"), nil, "limits.memory", "1Mi", "62"},
		{nil, nil, "limits.memory", "1Gi", "4"},
		{nil, list("memory", "1Mi"), "requests.memory", "1k", "1049"},
		{nil, nil, "requests.memory", "1Ei", "0"},
	} {
		cfg := Config{Allocatable: list("cpu", "3", "memory", "4Gi"), Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Command: []string{"x"}, Env: fieldRefEnv(ref(c.what, c.divisor)), Resources: corev1.ResourceRequirements{Limits: c.limits, Requests: c.requests},
		}}}}
		require.Empty(t, Check(&cfg.Spec))
		vars, err := cfg.environment(nil)
		require.NoError(t, err)
		got, _ := vars.get("LIMIT")
		require.Equal(t, c.want, got, "%s by %q of limits %v, requests %v", c.what, c.divisor, c.limits, c.requests)
	}
}

// Without a limit and without Config.Allocatable, the value is the process' cores and the
// memory of the machine.
func TestResourceFieldRefWithoutALimit(t *testing.T) {
	cfg := Config{Cores: Cores{0, 1, 7}}
	cfg.Spec.Containers = []corev1.Container{{}}
	got, err := cfg.resource(ref("limits.cpu", ""))
	require.NoError(t, err)
	require.Equal(t, "3", got)
	got, err = cfg.resource(ref("limits.memory", "1Mi"))
	require.NoError(t, err)
	n, err := strconv.Atoi(got)
	require.NoError(t, err)
	require.Greater(t, n, 100)
}

func TestCheckRejectsResourceFieldRefs(t *testing.T) {
	other := ref("limits.cpu", "")
	other.ContainerName = "side"
	own := ref("limits.cpu", "")
	own.ContainerName = "main"
	for _, c := range []struct {
		ref  *corev1.ResourceFieldSelector
		want string
	}{
		{own, ""},
		{other, `containerName: "side" is not this container`},
		{ref("limits.ephemeral-storage", ""), `resource: "limits.ephemeral-storage" can't be read here; use one of limits.cpu,`},
		{ref("cpu", ""), `resource: "cpu"`},
		{ref("", ""), `resource: ""`},
		{ref("limits.cpu", "2"), "divisor: 2 can't divide limits.cpu; use one of 1, 1m"},
		{ref("limits.cpu", "1k"), "divisor: 1k"},
		{ref("requests.cpu", "-1"), "divisor: -1"},
		{ref("limits.memory", "1m"), "divisor: 1m"},
		{ref("requests.memory", "1024"), "divisor: 1024"},
	} {
		spec := corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Command: []string{"x"}, Env: fieldRefEnv(c.ref)}}}
		found := Check(&spec)
		if c.want == "" {
			require.Empty(t, found)
			continue
		}
		require.Len(t, found, 1)
		require.True(t, strings.HasPrefix(found[0].Error(), "containers[0].env[0].valueFrom.resourceFieldRef."+c.want), found[0].Error())
	}
	both := fieldRefEnv(ref("limits.cpu", ""))
	both[0].ValueFrom.FieldRef = &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}
	found := Check(&corev1.PodSpec{Containers: []corev1.Container{{Command: []string{"x"}, Env: both}}})
	require.Len(t, found, 1)
	require.Contains(t, found[0].Message, "keep one of them")
}

func TestCheckLimits(t *testing.T) {
	limits := fieldRefEnv(ref("limits.cpu", "1m"))
	for _, c := range []struct {
		limits, requests corev1.ResourceList
		env              []corev1.EnvVar
		want             []string
	}{
		{nil, list("cpu", "1"), nil, nil},
		{list("cpu", "150m"), nil, limits, nil},
		{list("cpu", "150m"), list("cpu", "150m"), limits, nil},
		{list("cpu", "150m"), nil, nil, []string{"resources.limits.cpu: can't be honoured by the local orchestrator; nothing enforces it on a process, but one that is told of it"}},
		{list("cpu", "150m"), nil, fieldRefEnv(ref("requests.cpu", "1m")), []string{"resources.limits.cpu: can't be honoured"}},
		{list("cpu", "150m"), nil, []corev1.EnvVar{{Name: "CPU_LIMIT", Value: "150"}}, []string{"resources.limits.cpu: can't be honoured"}},
		{list("memory", "1Gi"), nil, limits, []string{"resources.limits.memory: can't be honoured by the local orchestrator; nothing enforces it on a process; remove it"}},
		{list("memory", "1Gi"), nil, fieldRefEnv(ref("limits.memory", "1Mi")), []string{"resources.limits.memory: can't be honoured"}},
		{list("cpu", "1", "memory", "1Gi", "nvidia.com/gpu", "1"), nil, limits, []string{"resources.limits.memory: can't", "resources.limits.nvidia.com/gpu: can't"}},
		{list("cpu", "0"), nil, limits, []string{"resources.limits.cpu: 0 is no share"}},
		{list("cpu", "-1"), nil, limits, []string{"resources.limits.cpu: -1 is no share"}},
		{list("cpu", "100m"), list("cpu", "200m"), limits, []string{"resources.limits.cpu: 100m is less than the request 200m"}},
	} {
		var got []string
		for _, p := range CheckLimits(&corev1.Container{Env: c.env, Resources: corev1.ResourceRequirements{Limits: c.limits, Requests: c.requests}}) {
			got = append(got, p.Error())
		}
		require.Len(t, got, len(c.want))
		for i, want := range c.want {
			require.True(t, strings.HasPrefix(got[i], want), got[i])
		}
	}
}

// A resourceFieldRef is expanded in the command's arguments and in a probe's command.
func TestResourceFieldRefInArguments(t *testing.T) {
	cfg, _ := config(t)
	c := &cfg.Spec.Containers[0]
	c.Resources.Limits = list("cpu", "150m")
	c.Env = append(c.Env, corev1.EnvVar{Name: "CPU_LIMIT", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: ref("limits.cpu", "1m")}},
		corev1.EnvVar{Name: "CPU", Value: "$(CPU_LIMIT)m"})
	p := run(t, cfg)
	eventually(t, "ready", ready(p))
	require.Equal(t, "150m", get(t, p, "/env?name=CPU"))
}
