package orchestrator_test

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

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/router"
	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
	"github.com/scanflow-k8s/scanflow/cmd/cluster/freeport"
	"github.com/scanflow-k8s/scanflow/engine"
)

func TestNoReadyPodIs503(t *testing.T) {
	o := testlocal.Open(t, t.TempDir())
	testlocal.Reload(t, o, testlocal.Web("web", 0))
	resp, err := http.Get(testlocal.Address(t, o, "Service", "web"))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, "1", resp.Header.Get("Retry-After"))
	m := o.Metrics()
	require.Len(t, m, 1)
	require.Equal(t, router.Metrics{FrontendID: router.FrontendID{Kind: "Service", Namespace: "test", Name: "web", Port: 8080}, Address: m[0].Address, Requests: 1, Errors: 1}, m[0])
}

func TestCrashingReplicasUnderLoadLoseOnlyWhatTheyAnswered(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, dir)
	testlocal.Reload(t, o, testlocal.Web("web", 3))
	testlocal.WaitReady(t, o, "web")
	stop := testlocal.Load(8, testlocal.Address(t, o, "Service", "web")+"/")
	for range 3 {
		for _, p := range testlocal.Processes(t, dir, "web") {
			require.NoError(t, syscall.Kill(p.PID, syscall.SIGKILL))
			break
		}
		restarts := testlocal.Workload(t, o, "web").Restarts
		testlocal.Eventually(t, "back", func() bool { w := testlocal.Workload(t, o, "web"); return w.Restarts > restarts && w.Ready == 3 })
	}
	answered, wrong := stop()
	// At most the 8 requests in flight at each of 3 crashes are lost. A GET on a connection that
	// breaks before the response is retried.
	require.LessOrEqual(t, len(wrong), 24)
	require.Greater(t, answered, int64(100))
	t.Logf("%d requests, %d lost", answered, len(wrong))
}

func TestStreamsAndDrains(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, dir)
	testlocal.Reload(t, o, strings.Replace(testlocal.Web("web", 1), "terminationGracePeriodSeconds: 5", "terminationGracePeriodSeconds: 1", 1))
	testlocal.WaitReady(t, o, "web")
	resp, err := http.Get(testlocal.Address(t, o, "Service", "web") + "/stream")
	require.NoError(t, err)
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "first\n", line, "passed on before the answer ended")
	require.EqualValues(t, 1, o.Metrics()[0].InFlight)

	// A request that never ends delays the stop of the pod by its grace period, and no longer.
	began := time.Now()
	require.NoError(t, o.SetReplicas(named("web"), 0))
	testlocal.Eventually(t, "stopped", func() bool { return len(testlocal.Processes(t, dir, "web")) == 0 })
	require.GreaterOrEqual(t, time.Since(began), time.Second)
	require.NoError(t, resp.Body.Close())
	testlocal.Eventually(t, "none in flight", func() bool { return o.Metrics()[0].InFlight == 0 })
}

func TestListensOnTheDeclaredPort(t *testing.T) {
	l, err := net.Listen("tcp", freeport.Reserve(t))
	require.NoError(t, err)
	taken := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	self, err := os.Executable()
	require.NoError(t, err)
	o, err := orchestrator.New(orchestrator.Options{StateDir: t.TempDir(), Self: self})
	require.NoError(t, err)
	t.Cleanup(func() { testlocal.Shut(t, o, orchestrator.StopAll) })
	yaml := strings.Replace(testlocal.Web("web", 0), "port: 8080,", "port: "+taken+",", 1)

	file := testlocal.Write(t, yaml)
	err = testlocal.ReadAndApply(t.Context(), o, file)
	require.ErrorContains(t, err, "Service test/web can't listen")
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	_, known := o.Workload(engine.TargetID{Namespace: "test", Name: "web"})
	require.False(t, known, "an error leaves everything as it was")

	require.NoError(t, l.Close())
	require.NoError(t, testlocal.ReadAndApply(t.Context(), o, file))
	at, ok := o.Address("Service", "test", "web")
	require.True(t, ok)
	require.Equal(t, "127.0.0.1:"+taken, at)

	err = testlocal.ReadAndApply(t.Context(), o, testlocal.Write(t, yaml+strings.ReplaceAll(yaml, "web", "other")))
	require.ErrorContains(t, err, fmt.Sprintf("Service test/web and Service test/other both want port %s", taken))

	// A Service may take the port of one that is removed.
	require.NoError(t, testlocal.ReadAndApply(t.Context(), o, testlocal.Write(t, strings.ReplaceAll(yaml, "web", "other"))))
	_, body, err := testlocal.Get("http://" + at)
	require.NoError(t, err)
	require.Contains(t, body, "Service test/other has no ready pod")
}
