package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// lockedLog is a log for concurrent writers and a reader.
type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestRefusedRequestsAreCountedLoggedAndSlowed(t *testing.T) {
	clock, log, metrics := engine.NewManualClock(start), &lockedLog{}, NewMetrics(Sources{Version: "v1"})
	o := serveAllRights(&inbox{})
	o.Token, o.Clock, o.Refused, o.Log = tokenOf(t, "s3cret"), clock, metrics.Refused, hclog.New(&hclog.LoggerOptions{Output: log})
	o.Registry = metrics.Registry()
	at := "http://" + serveOn(t, "127.0.0.1:0", o).Addr()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // a spare connection would hold up the end
	try := func(token string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+"/v1/approvals/1/approve", strings.NewReader("{}"))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		status, _, _ := answerOf(t, client, r)
		return status
	}
	for n := range patience {
		require.Equal(t, 401, try(fmt.Sprintf("guess-%d", n)))
	}

	// The following ones are delayed, up to a number of concurrent ones.
	var all sync.WaitGroup
	answered := make(chan int, 300)
	for n := range 300 - patience {
		all.Go(func() { answered <- try(fmt.Sprintf("guess-%d", n)) })
	}
	require.Eventually(t, func() bool { return len(answered) == 300-patience-mostDelayed }, 20*time.Second, time.Millisecond, "all but those for which there is room")
	require.Equal(t, 200, try("s3cret"), "a good credential does not wait")
	for _, path := range []string{"/healthz", "/metrics"} {
		status, _ := get(t, at+path, "", "")
		require.Equal(t, 200, status)
	}
	for len(answered) < 300-patience {
		clock.Advance(delay.Most)
	}
	all.Wait()
	for range 300 - patience {
		require.Equal(t, 401, <-answered)
	}
	require.Equal(t, 300., testutil.ToFloat64(metrics.refused.WithLabelValues("credential_unknown")))
	require.Equal(t, 1, strings.Count(log.String(), "a request is refused"), log.String())
	require.Contains(t, log.String(), "reason=credential_unknown remote=127.0.0.1")
	clock.Advance(refusalWindow)
	require.Equal(t, 401, try("guess"))
	require.Contains(t, log.String(), "refused_since_last_line=299")
	require.NotContains(t, log.String(), "guess")
	require.Len(t, refusalReasons, testutil.CollectAndCount(metrics.refused), "a fixed set")
}

func TestWhatIsRememberedOfRefusedHostsIsBounded(t *testing.T) {
	h := newRefusedHosts()
	for n := range 3 * maxHosts {
		h.record(fmt.Sprint("host", n), reasonClosed, start)
	}
	require.Len(t, h.by, maxHosts+1)
	n, line, _ := h.record("another", reasonClosed, start)
	require.Equal(t, 2*maxHosts+1, n, "the others count as one")
	require.False(t, line)
	n, line, _ = h.record("another", reasonClosed, start.Add(refusalWindow))
	require.Equal(t, 1, n, "there is room again")
	require.True(t, line)
	require.Less(t, len(h.by), 3)
}

func TestRemoteHostIsWhatOneMayHave(t *testing.T) {
	for address, want := range map[string]string{
		"10.1.2.3:80": "10.1.2.3", "[::ffff:10.1.2.3]:80": "10.1.2.3", "[::1]:80": "::1",
		"[2001:db8:1:2:3::4]:80": "2001:db8:1:2::/64", "[fe80::1%eth0]:80": "fe80::/64", "@": "others", "": "others",
	} {
		require.Equal(t, want, remoteHost(address), address)
	}
}

func TestTheEndWaitsForNoAnswerThatIsHeldBack(t *testing.T) {
	o := serveAllRights(&inbox{})
	o.Token = tokenOf(t, "s3cret")
	s := serveOn(t, "127.0.0.1:0", o)
	answered := make(chan int, patience+1)
	for range patience + 1 {
		go func() {
			status, _ := get(t, "http://"+s.Addr()+"/v1/seen", "guess", "")
			answered <- status
		}()
	}
	require.Eventually(t, func() bool { return len(answered) == patience }, 20*time.Second, time.Millisecond)
	require.Never(t, func() bool { return len(answered) > patience }, 50*time.Millisecond, 10*time.Millisecond, "the last one is held back")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.NoError(t, s.http.Shutdown(ctx))
	require.Eventually(t, func() bool { return len(answered) == patience+1 }, 20*time.Second, time.Millisecond)
}
