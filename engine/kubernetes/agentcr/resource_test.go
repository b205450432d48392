package agentcr_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/agentcr"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

func TestMain(m *testing.M) { testcluster.Main(m) }

const (
	soon = 20 * time.Second
	tick = 10 * time.Millisecond
)

var agents = schema.GroupVersionResource{Group: "scanflow.dev", Version: "v1alpha1", Resource: "agents"}

func kinds() manifest.Kinds {
	return manifest.Kinds{Verbs: map[string]func() any{"scale": func() any { return new(struct{}) }}}
}

func install(t *testing.T, c *testcluster.Cluster) {
	t.Helper()
	definition, err := manifest.CRD(kinds())
	require.NoError(t, err)
	c.Apply(t, string(definition))
	require.Eventually(t, func() bool {
		_, err := c.Client().Dynamic.Resource(agents).List(context.Background(), metav1.ListOptions{})
		return err == nil
	}, soon, tick)
}

// text is an agent that runs, with a part of its spec to vary.
func text(namespace, name, more string) string {
	return "apiVersion: scanflow.dev/v1alpha1\nkind: Agent\nmetadata: {name: " + name + ", namespace: " + namespace + "}\nspec:\n" +
		"  targets: {static: [{name: web}]}\n" + more
}

const everyTenSeconds = "  triggers: [{name: tick, every: 10s}]\n"

// start runs a source until the test ends, and returns a way to end it earlier.
func start(t *testing.T, o agentcr.Options) (*agentcr.Source, func()) {
	t.Helper()
	o.Kinds = kinds()
	s := agentcr.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	stop := func() { cancel(); <-done }
	t.Cleanup(stop)
	return s, stop
}

func synced(t *testing.T, s *agentcr.Source) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	require.NoError(t, s.Synced(ctx))
}

// until waits for changes, as the daemon does, until the agents are as wanted.
func until(t *testing.T, s *agentcr.Source, what string, wanted func([]agentcr.Found) bool) []agentcr.Found {
	t.Helper()
	limit := time.After(soon)
	for {
		found := s.Agents()
		if wanted(found) {
			return found
		}
		select {
		case <-s.Changed():
		case <-limit:
			require.Failf(t, "not seen", "%s; there are %+v", what, found)
		}
	}
}

func names(found []agentcr.Found) string {
	var out []string
	for _, f := range found {
		out = append(out, f.Name)
	}
	return strings.Join(out, " ")
}

func finish(t *testing.T, s *agentcr.Source, stop func()) {
	t.Helper()
	stop()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	require.NoError(t, s.Close(ctx))
}

// own is a connection with a count of requests of its own.
func own(t *testing.T, c *testcluster.Cluster) *apiclient.Client {
	t.Helper()
	client, err := apiclient.New(apiclient.Options{Kubeconfig: c.Kubeconfig()})
	require.NoError(t, err)
	return client
}

func shown(t *testing.T, c *testcluster.Cluster, name types.NamespacedName) manifest.Status {
	t.Helper()
	o, err := c.Client().Dynamic.Resource(agents).Namespace(name.Namespace).Get(context.Background(), name.Name, metav1.GetOptions{})
	require.NoError(t, err)
	raw, err := json.Marshal(o.Object["status"])
	require.NoError(t, err)
	var out manifest.Status
	require.NoError(t, json.Unmarshal(raw, &out))
	return out
}

func condition(s manifest.Status, name string) manifest.Condition {
	for _, c := range s.Conditions {
		if c.Type == name {
			return c
		}
	}
	return manifest.Condition{}
}

var (
	running = []manifest.Condition{{Type: manifest.Accepted, Status: "True", Reason: "Valid"}, {Type: manifest.Running, Status: "True", Reason: "Running"}}
	wrong   = []manifest.Condition{{Type: manifest.Accepted, Status: "False", Reason: "Invalid", Message: "wrong"}}
)

func TestAgentsComeChangeAndGo(t *testing.T) {
	c := testcluster.Shared(t)
	install(t, c)
	namespace, other := c.Namespace(t), c.Namespace(t)
	c.Apply(t, text(namespace, "first", everyTenSeconds))
	c.Apply(t, text(other, "elsewhere", everyTenSeconds))
	one, _ := start(t, agentcr.Options{Client: c.Client(), Namespace: namespace})
	all, _ := start(t, agentcr.Options{Client: c.Client()})
	synced(t, one)
	synced(t, all)
	require.Equal(t, "first", names(one.Agents()), "its namespace only")
	require.Contains(t, names(all.Agents()), "elsewhere")

	c.Apply(t, text(namespace, "second", everyTenSeconds+"  mode: paused\n"))
	found := until(t, one, "a new agent", func(f []agentcr.Found) bool { return len(f) == 2 })
	require.Equal(t, "first second", names(found))
	require.Empty(t, found[1].Mistakes)
	require.Equal(t, engine.Paused, found[1].Agent.Spec.Mode)
	require.Equal(t, int64(1), found[1].Generation)
	require.NotEmpty(t, found[1].UID)
	require.NotEmpty(t, found[1].ResourceVersion)

	c.Apply(t, text(namespace, "second", everyTenSeconds+"  mode: enforce\n"))
	changed := until(t, one, "a changed agent", func(f []agentcr.Found) bool { return f[1].Generation == 2 })
	require.Equal(t, engine.Enforce, changed[1].Agent.Spec.Mode)
	require.Equal(t, found[1].UID, changed[1].UID)
	require.Same(t, found[0].Agent, changed[0].Agent, "what did not change is not read again")

	// The API server takes it, for no schema knows every time zone.
	c.Apply(t, text(namespace, "second", `  triggers: [{name: nightly, cron: "0 3 * * *", timezone: Europe/Madird}]`))
	bad := until(t, one, "an agent with a mistake", func(f []agentcr.Found) bool { return f[1].Generation == 3 })
	require.Nil(t, bad[1].Agent)
	require.EqualError(t, bad[1].Mistakes, `spec.triggers[0].timezone: "Europe/Madird" is not a time zone; write a name of the IANA database, like Europe/Madrid`)

	require.NoError(t, c.Client().Dynamic.Resource(agents).Namespace(namespace).Delete(context.Background(), "second", metav1.DeleteOptions{}))
	until(t, one, "an agent less", func(f []agentcr.Found) bool { return names(f) == "first" })
}

func TestStatusIsWrittenOnceAndAtAPace(t *testing.T) {
	c := testcluster.Shared(t)
	install(t, c)
	namespace := c.Namespace(t)
	name := types.NamespacedName{Namespace: namespace, Name: "planner"}
	c.Apply(t, text(namespace, name.Name, everyTenSeconds))
	client, clock := own(t, c), engine.NewManualClock(time.Date(2026, 3, 1, 3, 0, 0, 5, time.UTC))
	s, stop := start(t, agentcr.Options{Client: client, Namespace: namespace, Clock: clock})
	synced(t, s)
	for range len(s.Changed()) {
		<-s.Changed()
	}
	writes := func() int64 { return client.Requests()["PATCH"] }
	shows := func(revision string) func() bool {
		return func() bool { return shown(t, c, name).PolicyRevision == revision }
	}

	status := agentcr.Status{
		ObservedGeneration: 1, Conditions: running, Targets: 3, PolicyRevision: "aaa",
		LastDecision: &agentcr.LastDecision{
			Time: manifest.Time{Time: clock.Now()}, Target: namespace + "/web", Primitive: "scale", Verdict: "done", Reason: "load", Summary: "scale web to 4: load",
		},
	}
	s.Report(name, status)
	require.Eventually(t, shows("aaa"), soon, tick, "the first is written at once")
	first := shown(t, c, name)
	require.Equal(t, int64(1), first.ObservedGeneration)
	require.Equal(t, 3, first.Targets)
	require.Equal(t, "scale web to 4: load", first.LastDecision.Summary)
	require.Equal(t, "True Valid", condition(first, manifest.Accepted).Status+" "+condition(first, manifest.Accepted).Reason)
	require.Equal(t, "True Running", condition(first, manifest.Running).Status+" "+condition(first, manifest.Running).Reason)
	require.Equal(t, clock.Now().Truncate(time.Second), condition(first, manifest.Running).LastTransitionTime.UTC())

	s.Report(name, status) // again: that writes nothing

	// Within the pace all that is reported becomes one write, when it is over.
	clock.Advance(2 * time.Second)
	for _, revision := range []string{"bbb", "ccc", "ddd"} {
		status.PolicyRevision, status.LastDecision = revision, nil
		status.Conditions = []manifest.Condition{running[0], {Type: manifest.Running, Status: "False", Reason: "NotRunning", Message: strings.Repeat("é", 20_000)}}
		s.Report(name, status)
	}
	require.Eventually(t, func() bool { return clock.Waiting() == 1 }, soon, tick)
	require.Equal(t, int64(1), writes())
	clock.Advance(3 * time.Second)
	require.Eventually(t, shows("ddd"), soon, tick)
	require.Equal(t, int64(2), writes())
	second := shown(t, c, name)
	require.Equal(t, "scale web to 4: load", second.LastDecision.Summary, "no decision since")
	require.Equal(t, condition(first, manifest.Accepted), condition(second, manifest.Accepted), "its status did not change, nor does its time")
	require.Equal(t, "False NotRunning", condition(second, manifest.Running).Status+" "+condition(second, manifest.Running).Reason)
	require.Equal(t, clock.Now().Truncate(time.Second), condition(second, manifest.Running).LastTransitionTime.UTC())
	require.True(t, strings.HasSuffix(condition(second, manifest.Running).Message, "é..."), "cut to what the resource may hold")

	// An unchanged status, an agent that was deleted, and one that was recreated since cost no
	// request.
	s.Report(name, status)
	s.Report(types.NamespacedName{Namespace: namespace, Name: "gone"}, status)
	finish(t, s, stop)
	require.Equal(t, int64(2), writes())
	require.Empty(t, s.Changed(), "a status is no change of an agent")

	later, stop := start(t, agentcr.Options{Client: client, Namespace: namespace, Clock: clock})
	synced(t, later)
	later.Report(name, status) // as after a restart of this process
	status.ObservedGeneration = 7
	later.Report(name, status)
	finish(t, later, stop)
	require.Equal(t, int64(2), writes())
	status.ObservedGeneration = 1
	later.Report(name, status)
	require.NoError(t, later.Close(context.Background()))
	require.Equal(t, int64(2), writes(), "closed")
}

// A merge patch replaces the list of conditions: what another controller writes while
// we do, and our watch has not told of yet, must be in it.
func TestTheConditionOfAnotherControllerStays(t *testing.T) {
	c := testcluster.Shared(t)
	install(t, c)
	namespace := c.Namespace(t)
	name := types.NamespacedName{Namespace: namespace, Name: "planner"}
	c.Apply(t, text(namespace, name.Name, everyTenSeconds))
	var meanwhile sync.Once
	client, err := own(t, c).Fenced(func() error { // called when a write is on its way
		meanwhile.Do(func() {
			_, err := c.Client().Dynamic.Resource(agents).Namespace(namespace).Patch(context.Background(), name.Name, types.MergePatchType,
				[]byte(`{"status":{"conditions":[{"type":"Audited","status":"True","reason":"Seen","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`),
				metav1.PatchOptions{}, "status")
			require.NoError(t, err)
		})
		return nil
	})
	require.NoError(t, err)
	s, stop := start(t, agentcr.Options{Client: client, Namespace: namespace})
	synced(t, s)
	s.Report(name, agentcr.Status{ObservedGeneration: 1, Conditions: running})
	require.Eventually(t, func() bool { return condition(shown(t, c, name), manifest.Running).Status == "True" }, soon, tick)
	finish(t, s, stop)
	require.Equal(t, "True", condition(shown(t, c, name), "Audited").Status)
}

// Status updates that wait for the rate limit are written when the process ends.
func TestCloseWritesWhatWaits(t *testing.T) {
	c := testcluster.Shared(t)
	install(t, c)
	namespace := c.Namespace(t)
	name := types.NamespacedName{Namespace: namespace, Name: "planner"}
	c.Apply(t, text(namespace, name.Name, everyTenSeconds))
	s, stop := start(t, agentcr.Options{Client: c.Client(), Namespace: namespace, Clock: engine.NewManualClock(time.Unix(1_800_000_000, 0))})
	synced(t, s)
	s.Report(name, agentcr.Status{ObservedGeneration: 1, Conditions: running, Targets: 1})
	require.Eventually(t, func() bool { return shown(t, c, name).Targets == 1 }, soon, tick)
	s.Report(name, agentcr.Status{ObservedGeneration: 1, Conditions: running, Targets: 2})
	finish(t, s, stop)
	require.Equal(t, 2, shown(t, c, name).Targets)
}

// A person sees at a glance how an agent does.
func TestColumns(t *testing.T) {
	c := testcluster.Shared(t)
	install(t, c)
	namespace := c.Namespace(t)
	name := types.NamespacedName{Namespace: namespace, Name: "planner"}
	c.Apply(t, text(namespace, name.Name, everyTenSeconds))
	s, stop := start(t, agentcr.Options{Client: c.Client(), Namespace: namespace})
	synced(t, s)
	s.Report(name, agentcr.Status{
		ObservedGeneration: 1, Targets: 2, PolicyRevision: "abc", LastDecision: &agentcr.LastDecision{Summary: "scale web to 4"},
		Conditions: []manifest.Condition{
			{Type: manifest.Ready, Status: "False", Reason: "Invalid", Message: "spec.triggers: ..."},
			{Type: manifest.Accepted, Status: "False", Reason: "Invalid", Message: "spec.triggers: ..."}, {Type: manifest.Running, Status: "False", Reason: "NotRunning"},
		},
		Refused: &manifest.TargetCount{Targets: 2, First: "ns/web"}, Held: &manifest.TargetCount{Targets: 1, First: "ns/web"},
	})
	require.Eventually(t, func() bool { return shown(t, c, name).Targets == 2 }, soon, tick)
	finish(t, s, stop)
	lookup, err := discovery.NewDiscoveryClientForConfig(c.Client().Config)
	require.NoError(t, err)
	raw, err := lookup.RESTClient().Get().AbsPath("/apis/scanflow.dev/v1alpha1/namespaces/"+namespace+"/agents").
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(context.Background()).Raw()
	require.NoError(t, err)
	var table metav1.Table
	require.NoError(t, json.Unmarshal(raw, &table))
	var columns []string
	for _, column := range table.ColumnDefinitions {
		columns = append(columns, column.Name)
	}
	require.Equal(t, []string{"Name", "Mode", "Targets", "Revision", "Ready", "Accepted", "Running", "Last", "Refused", "Failed", "Held", "Why", "Age"}, columns)
	require.Len(t, table.Rows, 1)
	require.Equal(t, []any{"planner", "enforce", float64(2), "abc", "False", "False", "NotRunning", "scale web to 4", float64(2), nil, float64(1), "spec.triggers: ..."}, table.Rows[0].Cells[:12])
}

// Before the custom resource is installed, and while the API server is away, the
// source waits, says why, and goes on by itself.
func TestTheServerMayBeAway(t *testing.T) {
	c := testcluster.New(t)
	client := own(t, c)
	s, stop := start(t, agentcr.Options{Client: client})
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		err := s.Synced(ctx)
		var missing *apiclient.MissingKindError
		return errors.As(err, &missing) && missing.Kind == manifest.Kind
	}, soon, tick)
	require.Empty(t, s.Agents())

	install(t, c)
	name := types.NamespacedName{Namespace: "default", Name: "planner"}
	c.Apply(t, text("default", "planner", everyTenSeconds))
	synced(t, s)
	until(t, s, "the first agent", func(f []agentcr.Found) bool { return names(f) == "planner" })

	c.StopAPIServer(t)
	s.Report(name, agentcr.Status{ObservedGeneration: 1, Conditions: running, Targets: 5})
	require.Equal(t, "planner", names(s.Agents()), "what is known stays known")
	c.StartAPIServer(t)
	c.Apply(t, text("default", "second", everyTenSeconds))
	until(t, s, "an agent made since", func(f []agentcr.Found) bool { return names(f) == "planner second" })
	require.Eventually(t, func() bool { return shown(t, c, name).Targets == 5 }, soon, tick, "the report was not lost")

	c.StopAPIServer(t)
	s.Report(name, agentcr.Status{ObservedGeneration: 1, Conditions: running, Targets: 6})
	stop()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	err := s.Close(ctx)
	require.ErrorContains(t, err, "write the status of agent default/planner")
	require.False(t, apierrors.IsNotFound(err))
	require.True(t, engine.IsRetryable(err))
}
