package workflow

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// training is load -> train -> evaluate, with artifacts and parameters.
const training = `
arguments:
  parameters:
    - {name: round, value: 1}
    - {name: data, default: digits, enum: [digits, letters]}
podMetadata: {labels: {team: ml}}
templates:
  - name: main
    inputs: {parameters: [{name: round}]}
    dag:
      tasks:
        - name: evaluate
          template: evaluate
          dependencies: [train, load]
          arguments:
            parameters: [{name: version, value: "v{{inputs.parameters.round}}.{{tasks.train.outputs.parameters.version}}"}]
            artifacts:
              - {name: model, from: "{{tasks.train.outputs.artifacts.model}}"}
              - {name: data, from: "{{tasks.load.outputs.artifacts.data}}"}
        - name: train
          template: train
          depends: load.Succeeded
          arguments:
            artifacts: [{name: data, from: "{{ tasks.load.outputs.artifacts.data }}"}]
        - {name: load, template: load}
    outputs:
      parameters: [{name: accuracy, valueFrom: {parameter: "{{tasks.evaluate.outputs.parameters.accuracy}}"}}]
      artifacts: [{name: model, from: "{{tasks.train.outputs.artifacts.model}}"}]
  - name: load
    outputs: {artifacts: [{name: data, path: /tmp/data}]}
    container:
      command: [sh, -c]
      args: ["mkdir -p $0/sub && echo \"$1 of $2\" >$0/sub/images.txt", "{{outputs.artifacts.data.path}}", "{{workflow.parameters.data}}", "{{workflow.name}}"]
  - name: train
    inputs: {artifacts: [{name: data, path: /tmp/data}]}
    outputs:
      artifacts: [{name: model, path: /tmp/model.gz}]
      parameters: [{name: version, valueFrom: {path: /tmp/version}}]
    container:
      command: [sh, -c]
      env:
        - {name: DATA, value: "{{inputs.artifacts.data.path}}"}
        - {name: IMAGES, value: "$(DATA)/sub/images.txt"}
        - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
      args: ["cp $IMAGES $0 && echo trained >>$IMAGES && echo 7 >$1 && echo I am $POD of $HOSTNAME", "{{outputs.artifacts.model.path}}", "{{outputs.parameters.version.path}}"]
  - name: evaluate
    inputs:
      parameters: [{name: version}, {name: unit, value: "of {{workflow.namespace}}"}]
      artifacts: [{name: model, path: /in/model}, {name: data, path: /in/data}, {name: extra, path: /in/extra, optional: true}]
    outputs: {parameters: [{name: accuracy, valueFrom: {path: /out/accuracy}}]}
    container:
      command: [sh, -c]
      args:
        - 'test ! -e $4 && cat $0 $1/sub/images.txt && echo "0.93 $2 $3" >$5'
        - "{{inputs.artifacts.model.path}}"
        - "{{inputs.artifacts.data.path}}"
        - "{{inputs.parameters.version}}"
        - "{{inputs.parameters.unit}}"
        - "{{inputs.artifacts.extra.path}}"
        - "{{outputs.parameters.accuracy.path}}"
`

func TestArtifactsAndParameters(t *testing.T) {
	r := newRunner(t, Options{})
	submit(t, r, training, "round", "3")
	run := waitEnded(t, r)
	require.Equal(t, Succeeded, run.Phase, run.Message)
	require.Equal(t, map[string]string{"accuracy": "0.93 v3.7 of test"}, run.Outputs)
	require.Equal(t, map[string]string{"round": "3", "data": "digits"}, run.Parameters)
	require.Equal(t, "3/3", run.Progress())
	require.False(t, run.FinishedAt.Before(run.StartedAt))

	train, evaluate := stepOf(t, run, "train"), stepOf(t, run, "evaluate")
	require.Equal(t, "digits of run\n", text(t, train.Artifacts["model"]))
	require.Equal(t, "model.gz", filepath.Base(train.Artifacts["model"]), "it is called as on a cluster")
	require.Equal(t, train.Artifacts["model"], stepOf(t, run, "").Artifacts["model"])
	require.Equal(t, "I am run-train-0 of run-train-0\n", text(t, train.Attempts[0].Log))
	require.Equal(t, "digits of run\ndigits of run\n", text(t, evaluate.Attempts[0].Log), "train has written into a copy of its own")
	require.Equal(t, map[string]string{"version": "v3.7", "unit": "of test"}, evaluate.Inputs)
	require.Equal(t, 0, *evaluate.Attempts[0].ExitCode)
	require.NoDirExists(t, filepath.Join(filepath.Dir(train.Attempts[0].Log), inDir), "copies are not kept")
	var order []string
	for _, s := range run.Steps {
		order = append(order, s.Path+"<"+s.Parent)
	}
	require.Equal(t, []string{"<", "evaluate<", "train<", "load<"}, order)
}

func TestSubmitIsIdempotent(t *testing.T) {
	r := newRunner(t, Options{})
	count := file(t, "count")
	spec := "templates: [{name: main, container: " + shell("echo x >>"+count) + "}]"
	first := submit(t, r, spec)
	require.Equal(t, first.UID, submit(t, r, spec).UID)
	require.Equal(t, Succeeded, waitEnded(t, r).Phase)
	require.Equal(t, first.UID, submit(t, r, spec).UID, "nor after its end")
	_, err := r.Submit(Request{Namespace: "test", Name: "run", Identity: "two", Template: parse(t, spec)})
	require.ErrorIs(t, err, ErrNameConflict)
	require.Equal(t, "x\n", text(t, count))
	require.Len(t, r.Runs(), 1)

	for name, req := range map[string]Request{
		"a name that leads out": {Namespace: "test", Name: "../run", Identity: "three", Template: parse(t, spec)},
		"no namespace":          {Name: "run", Identity: "three", Template: parse(t, spec)},
		"an unknown parameter":  {Namespace: "test", Name: "other", Template: parse(t, spec), Parameters: map[string]string{"a": "b"}},
		"a broken template":     {Namespace: "test", Name: "other"},
	} {
		_, err := r.Submit(req)
		require.Error(t, err, name)
	}
	left, err := os.ReadDir(r.opts.Dir)
	require.NoError(t, err)
	require.Len(t, left, 2, "the run and the lock: nothing of those that were refused")
}

func TestParameters(t *testing.T) {
	template := parse(t, `
arguments: {parameters: [{name: a}, {name: b, value: 2}, {name: c, default: true}, {name: d, value: x, enum: [x, "1"]}]}
templates: [{name: main, container: `+shell("true")+`}]`)
	got, err := ResolveParameters(&template, map[string]string{"a": "{{workflow.name}}", "d": "1"})
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(map[string]string{"a": "{{workflow.name}}", "b": "2", "c": "true", "d": "1"}, got))
	_, err = ResolveParameters(&template, map[string]string{"d": "y", "e": "1"})
	for _, want := range []string{"with.parameters.a: is missing", `with.parameters.d: "y" is none of its enum: x, 1`, "with.parameters.e: the template has no such parameter; it has a, b, c, d"} {
		require.ErrorContains(t, err, want)
	}
}

// References in the values of parameters are not substituted.
func TestReferencesInValuesAreNotSubstituted(t *testing.T) {
	r := newRunner(t, Options{})
	submit(t, r, `
arguments: {parameters: [{name: said}]}
templates:
  - name: main
    inputs: {parameters: [{name: said}]}
    dag: {tasks: [{name: a, template: say, arguments: {parameters: [{name: said, value: "{{inputs.parameters.said}}"}]}}]}
  - name: say
    inputs: {parameters: [{name: said}]}
    container: {command: [echo], args: ["{{inputs.parameters.said}}"]}`, "said", "{{workflow.uid}}")
	run := waitEnded(t, r)
	require.Equal(t, Succeeded, run.Phase, run.Message)
	require.Equal(t, "{{workflow.uid}}\n", text(t, stepOf(t, run, "a").Attempts[0].Log))
}

func TestATemplateOfTemplates(t *testing.T) {
	r := newRunner(t, Options{})
	submit(t, r, `
templates:
  - name: main
    dag:
      tasks:
        - {name: first, template: make, arguments: {parameters: [{name: word, value: one}]}}
        - name: both
          template: twice
          dependencies: [first]
          arguments: {artifacts: [{name: file, from: "{{tasks.first.outputs.artifacts.file}}"}]}
    outputs: {parameters: [{name: said, valueFrom: {parameter: "{{tasks.both.outputs.parameters.said}}"}}]}
  - name: make
    inputs: {parameters: [{name: word}]}
    outputs: {artifacts: [{name: file, path: /f}]}
    container: {command: [sh, -c], args: ["echo {{inputs.parameters.word}} >{{outputs.artifacts.file.path}}"]}
  - name: twice
    inputs: {artifacts: [{name: file}]}
    outputs: {parameters: [{name: said, valueFrom: {parameter: "{{tasks.b.outputs.parameters.said}}"}}]}
    dag:
      tasks:
        - {name: a, template: read, arguments: {artifacts: [{name: file, from: "{{inputs.artifacts.file}}"}]}}
        - {name: b, template: read, dependencies: [a], arguments: {artifacts: [{name: file, from: "{{inputs.artifacts.file}}"}]}}
  - name: read
    inputs: {artifacts: [{name: file, path: /f}]}
    outputs: {parameters: [{name: said, valueFrom: {path: /said}}]}
    container: {command: [cp, "{{inputs.artifacts.file.path}}", "{{outputs.parameters.said.path}}"]}`)
	run := waitEnded(t, r)
	require.Equal(t, Succeeded, run.Phase, run.Message)
	require.Equal(t, map[string]string{"said": "one"}, run.Outputs)
	require.Equal(t, []string{"both.a"}, stepOf(t, run, "both.b").Needs)
	require.Equal(t, "3/3", run.Progress())
}

func TestParallelism(t *testing.T) {
	r := newRunner(t, Options{})
	log := file(t, "log")
	submit(t, r, `
parallelism: 1
templates:
  - name: main
    dag: {tasks: [{name: a, template: one}, {name: b, template: one}, {name: c, template: one}]}
  - name: one
    container: `+shell("echo begin >>"+log+"; sleep 0.05; echo end >>"+log))
	require.Equal(t, Succeeded, waitEnded(t, r).Phase)
	require.Equal(t, "begin\nend\nbegin\nend\nbegin\nend\n", text(t, log))
}
