package workflow

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	kyaml "sigs.k8s.io/yaml"
)

// Each case changes one field of the training template, and fails with exactly these
// mistakes: "PATH|part of the message".
func TestRefusesWhatCantBeRun(t *testing.T) {
	const (
		main, load, train, evaluate = "spec.templates[0].", "spec.templates[1].", "spec.templates[2].", "spec.templates[3]."
		taskEvaluate, taskTrain     = main + "dag.tasks[0].", main + "dag.tasks[1]."
	)
	for name, tc := range map[string]struct {
		old, now string
		want     []string
	}{
		"no such entrypoint":       {"- name: main", "- name: begin", []string{`spec.entrypoint|there is no template "main"; there are: begin, load, train, evaluate`}},
		"entrypoint wants more":    {"[{name: round}]", "[{name: round}, {name: epochs}]", []string{"spec.entrypoint|none of spec.arguments.parameters"}},
		"entrypoint wants a file":  {"inputs: {parameters: [{name: round}]}", "inputs: {parameters: [{name: round}], artifacts: [{name: x}]}", []string{"spec.entrypoint|nothing gives one"}},
		"not in the enum":          {"default: digits", "default: faces", []string{`spec.arguments.parameters[1].default|"faces" is none of its enum: digits, letters`}},
		"an empty enum":            {"enum: [digits, letters]", "enum: []", []string{`default|none of its enum`, "spec.arguments.parameters[1].enum|is empty"}},
		"two parameters of a name": {"{name: data, default", "{name: round, default", []string{`spec.arguments.parameters[1].name|"round" is used twice`, load + "container.args[2]|{{workflow.parameters.data}}"}},
		"a reference in a value":   {"value: 1}", `value: "{{workflow.name}}"}`, []string{"spec.arguments.parameters[0].value|names nothing"}},
		"a name that leads out":    {"- name: load\n", "- name: ../load\n", []string{"spec.templates[1].name|letters, digits and dashes", main + "dag.tasks[2].template|there is no template"}},
		"two templates of a name":  {"- name: load\n", "- name: train\n    container: {command: [a]}\n  - name: load\n", []string{"spec.templates[3].name|used twice", taskEvaluate + "arguments.parameters[0].value|names nothing", taskEvaluate + "arguments.artifacts[0].from|names nothing", taskTrain + "arguments.artifacts[0].name|no input artifact", main + "outputs.artifacts[0].from|names nothing"}},
		"no such task":             {"dependencies: [train, load]", "dependencies: [train, load, tset]", []string{taskEvaluate + `dependencies|there is no task "tset"; there are: evaluate, load, train`}},
		"both ways of waiting":     {"depends: load.Succeeded", "depends: load\n          dependencies: [load]", []string{taskTrain + "depends|is set beside dependencies"}},
		"depends on a failure":     {"depends: load.Succeeded", "depends: load.Failed", []string{taskTrain + "depends|only names of tasks joined by &&", taskTrain + "arguments.artifacts[0].from|does not wait for task load"}},
		"a circle":                 {"{name: load, template: load}", "{name: load, template: load, dependencies: [evaluate]}", []string{main + "dag.tasks|in a circle: evaluate -> train -> load -> evaluate"}},
		"does not wait":            {"dependencies: [train, load]", "dependencies: [load]", []string{taskEvaluate + "arguments.parameters[0].value|task evaluate does not wait for task train", taskEvaluate + "arguments.artifacts[0].from|does not wait for task train"}},
		"waits through another":    {"dependencies: [train, load]", "dependencies: [train]", nil},
		"no such input":            {"parameters: [{name: version, value", "parameters: [{name: number, value", []string{taskEvaluate + `arguments.parameters[0].name|template evaluate has no input parameter "number"`, taskEvaluate + "arguments|takes a parameter version"}},
		"no such input artifact":   {"- {name: model, from", "- {name: net, from", []string{taskEvaluate + `arguments.artifacts[0].name|no input artifact "net"`, taskEvaluate + "arguments|takes an artifact model"}},
		"no such output":           {"tasks.train.outputs.parameters.version", "tasks.train.outputs.parameters.number", []string{taskEvaluate + "arguments.parameters[0].value|names nothing that there is here"}},
		"what a step prints":       {"tasks.train.outputs.parameters.version", "tasks.train.outputs.result", []string{taskEvaluate + "arguments.parameters[0].value|have it write a file"}},
		"from is more":             {`from: "{{tasks.load.outputs.artifacts.data}}"`, `from: "x{{tasks.load.outputs.artifacts.data}}"`, []string{taskEvaluate + "arguments.artifacts[1].from|must be one reference"}},
		"an expression":            {"{{workflow.name}}", "{{=workflow.name}}", []string{load + "container.args[3]|expressions are not evaluated"}},
		"no end of a reference":    {"{{workflow.name}}", "{{workflow.name", []string{load + "container.args[3]|without its }}"}},
		"an unknown reference":     {"{{workflow.name}}", "{{workflow.status}}", []string{load + "container.args[3]|workflow.uid"}},
		"a path written out":       {"{{outputs.artifacts.data.path}}\", \"{{workflow.parameters", "/tmp/data\", \"{{workflow.parameters", []string{load + "container.args[1]|writes out the path /tmp/data, where only a container has it"}},
		"a path within a text":     {`value: "{{inputs.artifacts.data.path}}"`, `value: "file:/tmp/data,x"`, []string{train + "container.env[0].value|write {{inputs.artifacts.data.path}} for it"}},
		"only part of a path":      {`I am $POD`, `/tmp/database/tmp/data.x $POD`, nil},
		"a file nobody is told of": {`"{{outputs.parameters.version.path}}"`, `"x"`, []string{train + "outputs.parameters[0].valueFrom.path|nothing tells the program where the file lies"}},
		"an output without a path": {"{path: /tmp/version}", "{default: x}", []string{train + "outputs.parameters[0].valueFrom|must have the path"}},
		"an input without a path":  {"- name: train\n    inputs: {artifacts: [{name: data, path: /tmp/data}]}", "- name: train\n    inputs: {artifacts: [{name: data}]}", []string{train + "inputs.artifacts[0].path|is missing"}},
		"a dag's output":           {`valueFrom: {parameter: "{{tasks.evaluate.outputs.parameters.accuracy}}"}`, "valueFrom: {path: /x}", []string{main + "outputs.parameters[0].valueFrom|a dag's output comes from a task"}},
		"no command":               {"command: [sh, -c]\n      args: [\"mkdir", "args: [\"mkdir", []string{load + "container.command|no image is run here"}},
		"retries of a dag":         {"- name: main\n", "- name: main\n    retryStrategy: {limit: 1}\n    activeDeadlineSeconds: 3\n", []string{main + "retryStrategy|is for container templates", main + "activeDeadlineSeconds|is for container templates"}},
		"retries without end":      {"- name: load\n", "- name: load\n    retryStrategy: {}\n", []string{load + "retryStrategy.limit|for ever"}},
		"retries, all wrong":       {"- name: load\n", "- name: load\n    retryStrategy: {limit: x, retryPolicy: OnTransientError, backoff: {factor: 0, maxDuration: soon}}\n", []string{load + "retryStrategy.limit|", load + "retryStrategy.retryPolicy|Always", load + "retryStrategy.backoff.maxDuration|", load + "retryStrategy.backoff.duration|", load + "retryStrategy.backoff.factor|"}},
		"a deadline by reference":  {"- name: load\n", "- name: load\n    activeDeadlineSeconds: \"{{workflow.parameters.round}}\"\n", []string{load + "activeDeadlineSeconds|not a number of seconds"}},
		"bounds below 1":           {"arguments:\n", "activeDeadlineSeconds: 0\nparallelism: 0\narguments:\n", []string{"spec.activeDeadlineSeconds|", "spec.parallelism|"}},
	} {
		t.Run(name, func(t *testing.T) {
			at := strings.Index(training, tc.old)
			require.GreaterOrEqual(t, at, 0)
			template := parse(t, training[:at]+tc.now+training[at+len(tc.old):])
			found := Check(&template)
			require.Len(t, found, len(tc.want), "%v", found)
			left := found
			for _, want := range tc.want {
				path, part, _ := strings.Cut(want, "|")
				i := 0
				for ; i < len(left); i++ {
					if strings.HasSuffix(left[i].Path, path) && strings.Contains(left[i].Message, part) {
						break
					}
				}
				require.Less(t, i, len(left), "%s is not among %v", want, left)
				left = append(left[:i:i], left[i+1:]...)
			}
		})
	}
}

func TestTemplateCycles(t *testing.T) {
	circle := parse(t, `
templates:
  - {name: main, dag: {tasks: [{name: a, template: b}]}}
  - {name: b, dag: {tasks: [{name: a, template: c}]}}
  - {name: c, dag: {tasks: [{name: a, template: b}]}}`)
	found := Check(&circle)
	require.Len(t, found, 1)
	require.Equal(t, "spec.templates[2].dag: templates use each other in a circle: b -> c -> b", found[0].Error())

	var many strings.Builder
	many.WriteString("templates:\n- {name: t30, container: " + shell("true") + "}\n")
	for i := range 30 {
		fmt.Fprintf(&many, "- {name: %s, dag: {tasks: [{name: a, template: t%d}, {name: b, template: t%d}]}}\n", map[bool]string{true: "main", false: fmt.Sprintf("t%d", i)}[i == 0], i+1, i+1)
	}
	bomb := parse(t, many.String())
	found = Check(&bomb)
	require.Len(t, found, 1)
	require.Contains(t, found[0].Message, "more than 500 steps")

	none := parse(t, "templates: [{name: main}, {name: both, dag: {tasks: []}, container: {command: [a]}}]")
	found = Check(&none)
	require.Len(t, found, 2)
	require.Contains(t, found[0].Message, "neither a dag nor a container")
	require.Contains(t, found[1].Message, "make them two templates")
}

// Check returns for any template, and a template that passes it can be run.
func FuzzCheck(f *testing.F) {
	f.Add(training)
	f.Add("templates: [{name: main, dag: {tasks: [{name: a, template: main}]}}]")
	f.Add("templates: [{name: main, container: {args: ['{{inputs}}']}}]")
	f.Fuzz(func(t *testing.T, spec string) {
		var template Template
		if kyaml.UnmarshalStrict([]byte("metadata: {name: flow}\nspec:\n  entrypoint: main\n"+indent(spec)), &template) != nil {
			return
		}
		if len(Check(&template)) == 0 {
			buildTree(&template.Spec).walk(func(n *node) { require.NotNil(t, n.template) })
		}
	})
}
