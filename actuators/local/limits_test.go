package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

const toldOfLimit = "{name: CPU_LIMIT, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}"

// The container of each kind may have a limit of cpu that it is told of, and no other.
func TestALimitThatTheContainerIsToldOfIsTaken(t *testing.T) {
	limited := func(yaml, before string) (told, untold string) {
		at := strings.Index(yaml, before)
		require.GreaterOrEqual(t, at, 0)
		untold = yaml[:at] + "resources: {limits: {cpu: 150m}}, " + yaml[at:]
		told = strings.Replace(untold, "env: [", "env: ["+toldOfLimit+", ", 1)
		require.NotEqual(t, untold, told)
		return told, untold
	}
	for kind, c := range map[string]struct{ yaml, before string }{
		"WorkflowTemplate": {retrain(good, ""), `image: "none:1", command`},
		"CronJob":          {scoreCronJob(""), "command: [sh, -c]"},
	} {
		told, untold := limited(c.yaml, c.before)
		_, err := Read(write(t, told))
		require.NoError(t, err, kind)
		_, err = Read(write(t, untold))
		require.ErrorContains(t, err, "resources.limits.cpu: can't be honoured by the local orchestrator", kind)
	}
	_, err := Read(write(t, strings.NewReplacer("memory: 64Mi}", "memory: 64Mi}, limits: {cpu: 150m}", "{fieldRef: {fieldPath: spec.nodeName}}", "{resourceFieldRef: {resource: limits.cpu}}").Replace(full)))
	require.NoError(t, err)
}

// A step is told of its limit, and without one of its node's cores.
func TestAStepIsToldOfItsLimit(t *testing.T) {
	o := open(t, t.TempDir())
	out := filepath.Join(t.TempDir(), "limit")
	yaml := strings.Replace(retrain(good, ""), `env: [{name: NODE`, "resources: {limits: {cpu: 150m}}, env: ["+toldOfLimit+", {name: NODE", 1)
	yaml = strings.Replace(yaml, "args: ['echo", "args: ['echo $CPU_LIMIT >"+out+"; echo", 1)
	reload(t, o, yaml)
	_, end := act(t, o, onRetrain(withData()))
	require.Equal(t, engine.Done, end.Status, end.Detail)
	raw, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, "150\n", string(raw))
}
