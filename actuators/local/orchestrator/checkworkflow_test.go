package orchestrator_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

const limitVariable = "{name: CPU_LIMIT, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}"

// A container may have a limit on cpu that a variable of it refers to, and no other limit.
func TestACPULimitThatAVariableRefersToIsAccepted(t *testing.T) {
	limited := func(yaml, before string) (with, without string) {
		at := strings.Index(yaml, before)
		require.GreaterOrEqual(t, at, 0)
		without = yaml[:at] + "resources: {limits: {cpu: 150m}}, " + yaml[at:]
		with = strings.Replace(without, "env: [", "env: ["+limitVariable+", ", 1)
		require.NotEqual(t, without, with)
		return with, without
	}
	for kind, c := range map[string]struct{ yaml, before string }{
		"WorkflowTemplate": {testlocal.Retrain(testlocal.Good, ""), `image: "none:1", command`},
		"CronJob":          {testlocal.CronJob(""), "command: [sh, -c]"},
	} {
		with, without := limited(c.yaml, c.before)
		_, err := orchestrator.Read(testlocal.Write(t, with))
		require.NoError(t, err, kind)
		_, err = orchestrator.Read(testlocal.Write(t, without))
		require.ErrorContains(t, err, "resources.limits.cpu: can't be honoured by the local orchestrator", kind)
	}
}

func TestReadsWorkflows(t *testing.T) {
	w, err := orchestrator.Read(testlocal.Write(t, testlocal.Retrain(testlocal.Good, "")+testlocal.CronJob("")))
	require.NoError(t, err)
	require.Len(t, w.Workflows, 1)
	require.Len(t, w.CronJobs, 1)
	require.EqualValues(t, "2", *w.Workflows[0].Spec.Arguments.Parameters[1].Value, "a number is as good")

	// Each case changes one thing, and is refused with exactly these mistakes.
	const c0 = "spec.jobTemplate.spec.template.spec.containers[0]."
	for name, tc := range map[string]struct {
		old, now string
		want     []string
	}{
		"steps":            {"dag:\n        tasks:", "steps: []\n      dag:\n        tasks:", []string{"13 spec.templates[0].steps|write them as a dag"}},
		"script":           {"    - name: load\n", "    - name: load\n      script: {source: x}\n", []string{"22 spec.templates[1].script|the interpreter as command"}},
		"when":             {"{name: load, template: load}", `{name: load, template: load, when: "1 == 1"}`, []string{"15 spec.templates[0].dag.tasks[0].when|itself see"}},
		"withItems":        {"{name: load, template: load}", "{name: load, template: load, withItems: [1]}", []string{"15 spec.templates[0].dag.tasks[0].withItems|a task for each"}},
		"onExit":           {"  entrypoint: main\n", "  entrypoint: main\n  onExit: main\n", []string{"7 spec.onExit|act on the event"}},
		"volumes":          {"  entrypoint: main\n", "  entrypoint: main\n  volumes: []\n", []string{"7 spec.volumes|as artifacts"}},
		"templateRef":      {"{name: load, template: load}", "{name: load, templateRef: {name: x}}", []string{"15 spec.templates[0].dag.tasks[0].templateRef|copy the template", `15 spec.templates[0].dag.tasks[0].template|there is no template ""`}},
		"an artifact's s3": {"[{name: data, path: /tmp/data}]}\n      container: {image", "[{name: data, path: /tmp/data, s3: {key: x}}]}\n      container: {image", []string{"22 spec.templates[1].outputs.artifacts[0].s3|run's folder"}},
		"volumeMounts":     {"        image: none:1\n", "        volumeMounts: []\n", []string{"28 spec.templates[2].container.volumeMounts|as artifacts"}},
		"ports":            {"        image: none:1\n", "        ports: [{containerPort: 80}]\n", []string{"28 spec.templates[2].container.ports|serves nobody"}},
		"limits":           {"        image: none:1\n", "        resources: {limits: {cpu: 1}}\n", []string{"28 spec.templates[2].container.resources.limits.cpu|nothing enforces it"}},
		"a secret":         {"{fieldRef: {fieldPath: spec.nodeName}}", "{secretKeyRef: {name: a, key: b}}", []string{"23 spec.templates[1].container.env[0].valueFrom.secretKeyRef|no secret is kept"}},
		"misspelt":         {"  entrypoint: main\n", "  entrypont: main\n", []string{"5 spec.entrypoint|is missing", "6 spec.entrypont|can't be honoured"}},
		"a value's kind":   {"value: 2}", "value: [2]}", []string{"9 spec.arguments.parameters[1].value|must be text, a number"}},
		"a node's label":   {"  entrypoint: main\n", "  entrypoint: main\n  nodeSelector: {gpu: y}\n", []string{"7 spec.nodeSelector.gpu|no such label"}},
		"a reference":      {"{{workflow.parameters.data}}", "{{workflow.parameters.date}}", []string{"23 spec.templates[1].container.args[0]|workflow.parameters.data"}},
		"a schedule":       {"  suspend: true\n", "", []string{"36 spec.suspend|an agent with a cron trigger"}},
		"two pods":         {"      backoffLimit: 0\n", "      completions: 2\n", []string{"41 spec.jobTemplate.spec.completions|one pod"}},
		"an init container": {"          restartPolicy: Never\n", "          restartPolicy: Never\n          initContainers: []\n", []string{
			"47 spec.jobTemplate.spec.template.spec.initContainers|own start"}},
		"a job without a command": {"command: [sh, -c], args: [\"echo $(TO)", "args: [\"echo $(TO)", []string{"48 " + c0 + "command|no image is run"}},
		"a job that always runs":  {"restartPolicy: Never", "restartPolicy: Always", []string{"46 spec.jobTemplate.spec.template.spec.restartPolicy|Never or OnFailure"}},
	} {
		t.Run(name, func(t *testing.T) {
			full := testlocal.Retrain(testlocal.Good, "") + testlocal.CronJob("")
			at := strings.Index(full, tc.old)
			require.GreaterOrEqual(t, at, 0)
			_, err := orchestrator.Read(testlocal.Write(t, full[:at]+tc.now+full[at+len(tc.old):]))
			var found mistake.Mistakes
			require.ErrorAs(t, err, &found)
			require.Len(t, found, len(tc.want), "%v", err)
			for i, want := range tc.want {
				place, part, _ := strings.Cut(want, "|")
				require.Equal(t, place, fmt.Sprintf("%d %s", found[i].Line, found[i].Path))
				require.Contains(t, found[i].Message, part)
			}
		})
	}
}
