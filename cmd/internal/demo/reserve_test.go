package demo

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A short run without load: the agent raises the autoscaler's bounds before a time window and
// lowers them after it, and the cluster's own controller scales accordingly. The controller
// applies new bounds within 15 s, which is less than the window with its lead.
func reserveOnKubernetes(t *testing.T, o Options) {
	const lead, window, follows = 8 * time.Second, 10 * time.Second, 60 * time.Second
	about := reserveStudy(3)
	fill, port := about.fill, freePort(t)
	about.fill = func(raw []byte) []byte {
		raw = setParam(setParam(fill(raw), "stabilizationWindowSeconds", "1"), "lead_ns", fmt.Sprint(lead.Nanoseconds()))
		return []byte(strings.ReplaceAll(string(raw), "port: 18391", "port: "+port))
	}
	r, err := openReserve(t.Context(), &o, &screen{out: o.Out}, about, filepath.Join(o.Dir, "run"))
	require.NoError(t, err)
	closed := false
	end := func() {
		if !closed {
			closed = true
			require.NoError(t, r.tb.close(t.Context()))
		}
	}
	t.Cleanup(end)

	began := r.tb.screen.startTime()
	rise := time.Now().Truncate(time.Second).Add(lead + 2*time.Second)
	fall := rise.Add(window)
	require.NoError(t, r.announceRise(t.Context(), rise, fall))
	replicas := func(n int64) func() bool {
		return func() bool {
			writes := r.replicas.list(began)
			return len(writes) > 0 && writes[len(writes)-1].Value == n
		}
	}
	require.Eventually(t, replicas(reservedReplicas), follows, pollInterval, "the replicas follow the raised min")
	require.Less(t, r.replicas.list(began)[len(r.replicas.list(began))-1].AtSeconds, fall.Sub(began).Seconds(), "while it is raised")
	require.Eventually(t, replicas(baseReplicas), follows, pollInterval, "the replicas follow the min that was taken back")

	out := &ReserveRun{MinReplicas: r.minReplicas.list(began), Replicas: r.replicas.list(began)}
	require.Eventually(t, func() bool {
		out.Bounds, err = r.bounds(t.Context())
		return err != nil || len(out.Bounds) > 1 && out.Bounds[1].EndedSeconds != nil
	}, follows, pollInterval, "the act has ended")
	require.NoError(t, err)
	t.Logf("bounds: %+v; minReplicas: %s; spec.replicas: %s", out.Bounds, writesLine(out.MinReplicas), writesLine(out.Replicas))
	require.Empty(t, out.missedBounds(rise.Sub(began), fall.Sub(began)))
	require.Len(t, out.Bounds, 2, "raised once, and taken back once")
	require.Equal(t, []string{controllerManager, startManager}, fieldManagers(out.Replicas), "the autoscaler alone writes the replicas, but for the first")
	require.Equal(t, []string{boundsManager, fieldManager}, fieldManagers(out.MinReplicas))

	end()
	_, err = o.Kubernetes.Dynamic.Resource(namespacesResource).Get(t.Context(), "reserve", metav1.GetOptions{})
	require.Error(t, err, "nothing is left of it")
}

// The kustomization for a user's own cluster has everything that the demo applies.
func TestReserveKustomization(t *testing.T) {
	made, err := kustomizeBuild("scenarios/reserve", func(_ string, raw []byte) []byte { return raw })
	require.NoError(t, err)
	kinds := []string{}
	for _, r := range made {
		kinds = append(kinds, r.GetKind())
		if r.GetKind() != "Namespace" {
			require.Equal(t, "reserve", r.GetNamespace(), r.GetKind())
		}
	}
	require.ElementsMatch(t, []string{"Namespace", "Deployment", "Service", "HTTPRoute", "HorizontalPodAutoscaler", "Agent"}, kinds)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

func TestReserveIsOfAClusterAlone(t *testing.T) {
	s, known := Find("reserve")
	require.True(t, known)
	mistakes := s.Check(&Options{Speed: 1})
	require.Len(t, mistakes, 1)
	require.Contains(t, mistakes[0], "--kubernetes: reserve wants it")
	require.Contains(t, mistakes[0], "go run ./cmd/cluster up --gateway")
}

func TestWhoOwnsAField(t *testing.T) {
	entry := func(manager, subresource, owned string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Subresource: subresource, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(owned)}
	}
	for name, row := range map[string]struct {
		managed []metav1.ManagedFieldsEntry
		want    []string
	}{
		"nobody":            {nil, []string{}},
		"of another field":  {[]metav1.ManagedFieldsEntry{entry("a", "", `{"f:spec":{"f:selector":{}}}`)}, []string{}},
		"by a subresource":  {[]metav1.ManagedFieldsEntry{entry("a", "scale", `{"f:spec":{"f:replicas":{}}}`)}, []string{"a/scale"}},
		"two":               {[]metav1.ManagedFieldsEntry{entry("b", "", `{"f:spec":{"f:replicas":{}}}`), entry("a", "", `{"f:spec":{"f:replicas":{}}}`)}, []string{"a", "b"}},
		"by two operations": {[]metav1.ManagedFieldsEntry{entry("a", "", `{"f:spec":{"f:replicas":{}}}`), entry("a", "", `{"f:spec":{"f:replicas":{}}}`)}, []string{"a"}},
		"without fields":    {[]metav1.ManagedFieldsEntry{{Manager: "a"}}, []string{}},
	} {
		require.Equal(t, row.want, fieldOwners(row.managed, []string{"spec", "replicas"}), name)
	}
}

// The query is valid at every speed: PromQL durations have no fractions.
func TestPodRateAtEverySpeed(t *testing.T) {
	for speed, want := range map[float64]string{1: "[30s]", 2: "[15s]", 2.5: "[12s]", 4: "[7s500ms]", 7: "[4s286ms]", 10: "[3s]", 30: "[2s]"} {
		tb := &testbed{o: &Options{Speed: speed}, study: &study{name: "mlperf"}}
		query := tb.podRateQuery("classifier")
		require.Contains(t, query, want)
		_, err := parser.NewParser(parser.Options{}).ParseExpr(query)
		require.NoError(t, err, "at speed %g", speed)
	}
}

// reserved is a successful run of each kind.
func reserved() []*ReserveRun {
	at := func(s float64) *float64 { return &s }
	phases := []MLPerfPhase{{Name: "quiet"}, {Name: "rise", StartS: 60}, {Name: "fall", StartS: 150}}
	wrote := []FieldWrite{{AtSeconds: -6, Value: 1, By: []string{}}, {AtSeconds: -5, Value: 1, By: []string{startManager}}, {AtSeconds: 45, Value: 4, By: []string{controllerManager}}}
	return []*ReserveRun{
		{MLPerfRun: &MLPerfRun{Scaler: scaledByController, OverBound: 0.3, Phases: phases}, Replicas: wrote},
		{
			MLPerfRun: &MLPerfRun{Scaler: scaledByBoth, OverBound: 0.02, Phases: phases}, Replicas: wrote,
			Bounds:      []BoundsAct{{AtSeconds: 35, EndedSeconds: at(36), Min: 4, Max: 8}, {AtSeconds: 151, EndedSeconds: at(152), Min: 1, Max: 8}},
			MinReplicas: []FieldWrite{{AtSeconds: -5, Value: 1, By: []string{fieldManager}}, {AtSeconds: 35, Value: 4, By: []string{boundsManager}}, {AtSeconds: 151, Value: 1, By: []string{boundsManager}}},
		},
	}
}

func TestReserveIsHeldAgainst(t *testing.T) {
	late := 61.0
	for name, row := range map[string]struct {
		change func([]*ReserveRun)
		missed string
	}{
		"as it should go":                {func([]*ReserveRun) {}, ""},
		"no better":                      {func(r []*ReserveRun) { r[1].OverBound = 0.3 }, "30.00% of the requests were over the bound with the agent, and 30.00% without"},
		"raised too late":                {func(r []*ReserveRun) { r[1].Bounds[0].EndedSeconds = &late }, "no act that raised min before the rise"},
		"raised, and not found so":       {func(r []*ReserveRun) { r[1].Bounds[0].EndedSeconds = nil }, "no act that raised min before the rise"},
		"taken back too early":           {func(r []*ReserveRun) { r[1].Bounds[1].AtSeconds = 149 }, "no act that took min back after it"},
		"never taken back":               {func(r []*ReserveRun) { r[1].Bounds, r[1].MinReplicas = r[1].Bounds[:1], r[1].MinReplicas[:2] }, "no act that took min back after it"},
		"taken back by somebody else":    {func(r []*ReserveRun) { r[1].MinReplicas[2].By = []string{"kubectl"} }, "minReplicas is not 1 at the end, by scanflow-autoscaler"},
		"the agent wrote the replicas":   {func(r []*ReserveRun) { r[1].Replicas = []FieldWrite{{Value: 4, By: []string{"scanflow-scale/scale"}}} }, `spec.replicas was written by ["scanflow-scale/scale"]`},
		"nobody scaled":                  {func(r []*ReserveRun) { r[0].Replicas = nil }, `spec.replicas was written by []`},
		"bounds in the autoscaler's run": {func(r []*ReserveRun) { r[0].Bounds = r[1].Bounds }, "in the run of the autoscaler alone"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &ReserveReport{Runs: reserved()}
			row.change(r.Runs)
			r.judge()
			require.Equal(t, row.missed == "", r.Held)
			require.Contains(t, strings.Join(r.Missed, "\n"), row.missed)
		})
	}
}
