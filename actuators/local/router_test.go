package local

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/router"
	"github.com/scanflow-k8s/scanflow/cmd/cluster/freeport"
	"github.com/scanflow-k8s/scanflow/engine"
)

func closeIdle() { http.DefaultClient.CloseIdleConnections() }

func TestTrafficByWeight(t *testing.T) {
	o := open(t, t.TempDir())
	reload(t, o, web("primary", 2)+web("backup", 1)+routeOver("primary", 100, "backup", 0))
	waitReady(t, o, "primary", "backup")
	at := address(t, o, "HTTPRoute", "models")
	share := func(requests int) map[string]int {
		got := map[string]int{}
		for range requests {
			status, body, err := get(at)
			require.NoError(t, err)
			require.Equal(t, 200, status, body)
			name, _, _ := strings.Cut(body, "-")
			got[name]++
		}
		return got
	}
	require.Equal(t, map[string]int{"primary": 50}, share(50))

	traffic := func(weights map[string]any) (engine.Change, engine.Outcome) {
		return act(t, o, proposal("traffic", "primary", map[string]any{"route": "models", "weights": weights}))
	}
	c, out := traffic(map[string]any{"primary": 70.0, "backup": 30.0})
	require.Equal(t, "weights primary 100 -> 70, backup 0 -> 30", c.Diff)
	require.Equal(t, engine.Done, out.Status)
	require.Equal(t, map[string]int{"primary": 140, "backup": 60}, share(200), "exact, not about")
	c, _ = traffic(map[string]any{"primary": 70.0, "backup": 30.0})
	require.True(t, c.NoOp)
	c, _ = traffic(map[string]any{"backup": 100.0})
	require.Equal(t, "weights primary 70 -> 0, backup 30 -> 100", c.Diff)
	require.Equal(t, map[string]int{"backup": 50}, share(50))

	a := TrafficActuator(o)
	for want, with := range map[string]map[string]any{
		"has no backend other, third; it has: backup, primary":    {"route": "models", "weights": map[string]any{"third": 1.0, "other": 1.0}},
		"there is no HTTPRoute test/none; these are: test/models": {"route": "none", "weights": map[string]any{"backup": 1.0}},
		"with.weights: at least one must be above 0":              {"route": "models", "weights": map[string]any{"backup": 0.0}},
		"with.weights.backup: must not be negative":               {"route": "models", "weights": map[string]any{"backup": -1.0, "primary": 2.0}},
		"with.weights.backup: must be a whole number, not":        {"route": "models", "weights": map[string]any{"backup": "x"}},
		"with.route: is missing":                                  {},
	} {
		_, err := a.Plan(t.Context(), proposal("traffic", "primary", with))
		require.ErrorContains(t, err, want)
	}
}

func TestNoReadyPodIs503(t *testing.T) {
	o := open(t, t.TempDir())
	reload(t, o, web("web", 0))
	resp, err := http.Get(address(t, o, "Service", "web"))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, "1", resp.Header.Get("Retry-After"))
	m := o.Metrics()
	require.Len(t, m, 1)
	require.Equal(t, router.Metrics{FrontendID: router.FrontendID{Kind: "Service", Namespace: "test", Name: "web", Port: 8080}, Address: m[0].Address, Requests: 1, Errors: 1}, m[0])
}

func TestCrashingReplicasUnderLoadLoseOnlyWhatTheyAnswered(t *testing.T) {
	o := open(t, t.TempDir())
	reload(t, o, web("web", 3))
	waitReady(t, o, "web")
	stop := load(8, address(t, o, "Service", "web")+"/")
	for range 3 {
		for _, p := range processes(o, "web") {
			require.NoError(t, syscall.Kill(p.PID, syscall.SIGKILL))
			break
		}
		restarts := workload(t, o, "web").Restarts
		eventually(t, "back", func() bool { w := workload(t, o, "web"); return w.Restarts > restarts && w.Ready == 3 })
	}
	answered, wrong := stop()
	// At most the 8 requests in flight at each of 3 deaths; GETs on a connection that
	// breaks before the answer are even sent again.
	require.LessOrEqual(t, len(wrong), 24)
	require.Greater(t, answered, int64(100))
	t.Logf("%d requests, %d lost", answered, len(wrong))
}

func TestStreamsAndDrains(t *testing.T) {
	o := open(t, t.TempDir())
	reload(t, o, strings.Replace(web("web", 1), "terminationGracePeriodSeconds: 5", "terminationGracePeriodSeconds: 1", 1))
	waitReady(t, o, "web")
	resp, err := http.Get(address(t, o, "Service", "web") + "/stream")
	require.NoError(t, err)
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "first\n", line, "passed on before the answer ended")
	require.EqualValues(t, 1, o.Metrics()[0].InFlight)

	// A request that never ends holds the pod for its grace period, and no longer.
	began := time.Now()
	require.NoError(t, o.setReplicas(key{"test", "web"}, 0))
	eventually(t, "stopped", func() bool { return len(processes(o, "web")) == 0 })
	require.GreaterOrEqual(t, time.Since(began), time.Second)
	require.NoError(t, resp.Body.Close())
	eventually(t, "none in flight", func() bool { return o.Metrics()[0].InFlight == 0 })
}

func TestListensOnTheDeclaredPort(t *testing.T) {
	l, err := net.Listen("tcp", freeport.Reserve(t))
	require.NoError(t, err)
	taken := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	self, err := os.Executable()
	require.NoError(t, err)
	o, err := New(Options{StateDir: t.TempDir(), Self: self})
	require.NoError(t, err)
	t.Cleanup(func() { shut(t, o, StopAll) })
	yaml := strings.Replace(web("web", 0), "port: 8080,", "port: "+taken+",", 1)

	file := write(t, yaml)
	err = readAndApply(t.Context(), o, file)
	require.ErrorContains(t, err, "Service test/web can't listen")
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	_, known := o.Workload(engine.TargetID{Namespace: "test", Name: "web"})
	require.False(t, known, "an error leaves everything as it was")

	require.NoError(t, l.Close())
	require.NoError(t, readAndApply(t.Context(), o, file))
	at, ok := o.Address("Service", "test", "web")
	require.True(t, ok)
	require.Equal(t, "127.0.0.1:"+taken, at)

	err = readAndApply(t.Context(), o, write(t, yaml+strings.ReplaceAll(yaml, "web", "other")))
	require.ErrorContains(t, err, fmt.Sprintf("Service test/web and Service test/other both want port %s", taken))

	// Two ways in may take each other's place.
	require.NoError(t, readAndApply(t.Context(), o, write(t, strings.ReplaceAll(yaml, "web", "other"))))
	_, body, err := get("http://" + at)
	require.NoError(t, err)
	require.Contains(t, body, "Service test/other has no ready pod")
}
