package local

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
	"github.com/scanflow-k8s/scanflow/engine"
)

// serving is a Deployment that takes its model in the variable MODEL_URI, and in an argument
// that the test server ignores.
func serving(uri string) string {
	return strings.Replace(testlocal.Web("web", 2, "MODEL_URI="+uri), "command: [scanflow]", "command: [scanflow]\n          args: [--model=3]", 1)
}

func serveWith(pairs ...any) engine.Proposal {
	with := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		with[pairs[i].(string)] = pairs[i+1]
	}
	return proposal("model.serve", "web", with)
}

func modelOf(t *testing.T, o *orchestrator.Orchestrator) string {
	t.Helper()
	f, err := o.Fleet(engine.Selector{Kind: "Deployment"})
	require.NoError(t, err)
	targets, err := f.Targets(t.Context())
	require.NoError(t, err)
	require.Len(t, targets, 1)
	return targets[0].Model
}

// served returns the value of a variable, which every pod must share.
func served(t *testing.T, o *orchestrator.Orchestrator, name string) string {
	t.Helper()
	all := map[string]bool{}
	var out string
	for _, p := range testlocal.Workload(t, o, "web").Pods {
		_, body, err := testlocal.Get("http://" + p.Ports["http"] + "/env?name=" + name)
		require.NoError(t, err)
		all[body], out = true, body
	}
	require.Len(t, all, 1)
	return out
}

func TestServesAnotherModel(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, dir)
	testlocal.Reload(t, o, serving("models:/digits/3"))
	testlocal.WaitReady(t, o, "web")
	require.Equal(t, "digits:3", modelOf(t, o))
	before := testlocal.Processes(t, dir, "web")
	stop, done := make(chan struct{}), make(chan []string)
	go func() { // requests go on all the while
		var wrong []string
		for url := testlocal.Address(t, o, "Service", "web"); ; {
			select {
			case <-stop:
				done <- wrong
				return
			default:
			}
			if status, _, err := testlocal.Get(url); err != nil || status != 200 {
				wrong = append(wrong, "request lost")
			}
		}
	}()
	change, out := act(t, o, serveWith("uri", "models:/digits/4", "version", "4", "env", "MODEL_URI"))
	close(stop)
	require.Empty(t, <-done)
	require.Equal(t, "MODEL_URI models:/digits/3 -> models:/digits/4, model digits:3 -> 4", change.Diff)
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "2 of 2 ready"}, out)
	require.Equal(t, "models:/digits/4", served(t, o, "MODEL_URI"))
	require.Equal(t, "4", modelOf(t, o))
	for name := range testlocal.Processes(t, dir, "web") {
		require.NotContains(t, before, name, "every pod was replaced")
	}
	change, _ = act(t, o, serveWith("uri", "models:/digits/4", "version", "4", "env", "MODEL_URI"))
	require.True(t, change.NoOp)

	// A second field leaves the first as it is.
	change, out = act(t, o, serveWith("version", "4", "argument", "--model="))
	require.Equal(t, engine.Done, out.Status)
	require.Equal(t, "--model= 3 -> 4", change.Diff)
	require.Equal(t, "models:/digits/4", served(t, o, "MODEL_URI"))
	_, out = act(t, o, serveWith("version", "5", "env", "NEW_VARIABLE", "container", "web"))
	require.Equal(t, engine.Done, out.Status)
	require.Equal(t, "5", served(t, o, "NEW_VARIABLE"))
	was := testlocal.Processes(t, dir, "web")

	testlocal.Shut(t, o, orchestrator.Detach)
	o = testlocal.Open(t, dir)
	testlocal.Reload(t, o, serving("models:/digits/3"))
	testlocal.WaitReady(t, o, "web")
	require.Equal(t, was, testlocal.Processes(t, dir, "web"), "it survives a restart: the very same processes")
	require.Equal(t, "5", modelOf(t, o))

	testlocal.Reload(t, o, serving("models:/digits/9"))
	testlocal.WaitReady(t, o, "web")
	require.Equal(t, "models:/digits/9", served(t, o, "MODEL_URI"), "a change of the YAML replaces the override")
	require.Equal(t, "digits:3", modelOf(t, o))
	testlocal.Reload(t, o, serving("models:/digits/3"))
	testlocal.WaitReady(t, o, "web")
	require.Equal(t, "models:/digits/3", served(t, o, "MODEL_URI"), "and for good")
}

func TestAModelThatIsNeverReadyIsPutBack(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, dir)
	testlocal.Reload(t, o, serving("models:/digits/3"))
	testlocal.WaitReady(t, o, "web")
	_, out := act(t, o, serveWith("version", "0s", "env", "SLOW_START"))
	require.Equal(t, engine.Done, out.Status)
	serve := ModelServe(o)
	change, err := serve.Plan(t.Context(), serveWith("version", "1h", "env", "SLOW_START")) // to start
	require.NoError(t, err)
	out, err = serve.Apply(t.Context(), change)
	require.NoError(t, err)
	require.Equal(t, engine.Running, out.Status)
	testlocal.Eventually(t, "a pod of it is there", func() bool { return len(testlocal.Processes(t, dir, "web")) == 3 })
	out, err = serve.(engine.Verifier).Verify(t.Context(), change)
	require.NoError(t, err)
	require.Equal(t, engine.Running, out.Status)
	require.Equal(t, 2, testlocal.Workload(t, o, "web").Ready, "the old ones serve")

	out, err = serve.(engine.Undoer).Undo(t.Context(), change)
	require.NoError(t, err)
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "put back (was to be: SLOW_START 0s -> 1h, model 0s -> 1h)"}, out)
	testlocal.WaitReady(t, o, "web")
	require.Equal(t, "0s", modelOf(t, o))
	_, err = serve.(engine.Undoer).Undo(t.Context(), change)
	require.ErrorIs(t, err, orchestrator.ErrModelChanged)
	out, err = serve.(engine.Verifier).Verify(t.Context(), change)
	require.NoError(t, err)
	require.Equal(t, engine.Outcome{Status: engine.Failed, Detail: "the model was set by somebody else since"}, out)
}

func TestAModelIsRefusedByName(t *testing.T) {
	o := testlocal.Open(t, t.TempDir())
	testlocal.Reload(t, o, strings.Replace(serving("x"), "            - {name: GORACE", "            - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}\n            - {name: GORACE", 1))
	for want, p := range map[string]engine.Proposal{
		"with.canaryPercent: a Deployment has none; run the new model as a workload of its own": serveWith("uri", "a", "env", "MODEL_URI", "canaryPercent", 10.0),
		"with.env: say how the container is told its model":                                     serveWith("uri", "a"),
		`it has no container "other"; it has web`:                                               serveWith("uri", "a", "env", "E", "container", "other"),
		"container web: none of its arguments begins with --uri=: give it one, as --uri=a":      serveWith("uri", "a", "argument", "--uri="),
		"container web: its variable NODE comes from somewhere else (valueFrom)":                serveWith("uri", "a", "env", "NODE"),
		"must say what to serve":                              serveWith("env", "E"),
		"no such Deployment is run here; these are: test/web": proposal("model.serve", "absent", map[string]any{"uri": "a", "env": "E"}),
	} {
		_, err := ModelServe(o).Plan(t.Context(), p)
		require.ErrorContains(t, err, want)
	}
}
