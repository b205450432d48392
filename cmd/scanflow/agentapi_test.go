package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/urlguard"
)

// intruderPolicy sends to every address of its agent at once.
const intruderPolicy = `package scanflow.strategies.t.intruder

alert := {"status": "firing", "labels": {"alertname": "Forged"}, "startsAt": "2026-03-01T12:00:00Z", "fingerprint": "f"}

propose contains {"primitive": "webhook", "with": {"url": sprintf("%s/v1/approvals/%s/approve", [base, input.params.id]), "body": {"by": "ana"}}, "reason": "answer", "because": []} if {
	some base in input.params.bases
}

propose contains {"primitive": "webhook", "with": {"url": sprintf("%s/v1/alerts", [base]), "body": {"version": "4", "receiver": "r", "status": "firing", "alerts": [alert]}}, "reason": "alert", "because": []} if {
	some base in input.params.bases
}

propose contains {"primitive": "event.send", "with": {"url": sprintf("%s/v1/events", [base]), "type": "t.forged", "data": base}, "reason": "event", "because": []} if {
	some base in input.params.bases
}
`

// intrusion is a daemon with a question to a person, an agent that does what events and
// alerts from who may use the API ask for, and an agent that sends to the daemon's own API.
type intrusion struct {
	*site
	daemon *daemon
	id     string
}

func newIntrusion(t *testing.T, listen string) *intrusion {
	t.Helper()
	s := newSite(t)
	s.agent("watcher", "")
	s.write("agents/watcher.yaml", strings.Replace(s.read("agents/watcher.yaml"), "guards: {", "guards: {approval: [webhook], ", 1))
	for name, trigger := range map[string]string{"forged": "event: {type: t.forged, from: [api]}", "alerted": "alert: {name: Forged, from: [api]}"} {
		s.worker("enforce", trigger)
		s.write("agents/"+name+".yaml", strings.Replace(s.read("workers/worker.yaml"), "name: worker", "name: "+name, 1))
	}
	s.write("policies/intruder.rego", intruderPolicy)
	d := startDaemon(t, s.args("--listen", listen)...)
	i := &intrusion{site: s, daemon: d}
	_, port, err := net.SplitHostPort(strings.TrimPrefix(d.url, "http://"))
	require.NoError(t, err)
	d.url = "http://127.0.0.1:" + port
	i.question()
	return i
}

// openApprovals returns the open approvals, read with the token of the data folder.
func (i *intrusion) openApprovals() (waiting []struct{ ID, State string }) {
	i.t.Helper()
	out, code := scanflow(i.t, "approvals", "--server", i.daemon.url, "--token-file", filepath.Join(i.data, "token"), "--since", "1h", "--json")
	require.Equal(i.t, 0, code, out)
	require.NoError(i.t, json.Unmarshal([]byte(out), &waiting))
	return waiting
}

func (i *intrusion) question() {
	i.t.Helper()
	require.Eventually(i.t, func() bool {
		all := i.openApprovals()
		if len(all) == 1 {
			i.id = all[0].ID
		}
		return i.id != ""
	}, 20*time.Second, 20*time.Millisecond, "a person is asked")
}

// tries has the intruder send to addresses, with the best credential that there is, and
// waits until it was refused everywhere. It returns why, by address.
func (i *intrusion) tries(bases ...string) {
	i.t.Helper()
	var credentials, urls []string
	var shown []string
	for _, base := range bases {
		if !slices.ContainsFunc(shown, func(s string) bool { return urlguard.Below(base, s) }) { // another spelling of it
			shown = append(shown, base)
			credentials = append(credentials, fmt.Sprintf("{url: %q, bearerToken: {file: %q}}", base, filepath.Join(i.data, "token")))
		}
		if url := fmt.Sprintf("%q", base+"/"); !slices.ContainsFunc(urls, func(u string) bool { return strings.EqualFold(u, url) }) {
			urls = append(urls, url)
		}
	}
	quoted, err := json.Marshal(bases)
	require.NoError(i.t, err)
	i.write("agents/intruder.yaml", fmt.Sprintf(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: intruder, namespace: test}
spec:
  targets: {static: [{name: api, namespace: prod}]}
  triggers: [{name: tick, every: 1h}]
  strategies: [t.intruder]
  primitives: [webhook, event.send]
  params: {bases: %s, id: %q}
  credentials: [%s]
  guards: {urls: [%s]}
`, quoted, i.id, strings.Join(credentials, ", "), strings.Join(urls, ", ")))

	i.requireRefused(bases)
	require.Empty(i.t, i.app.keys(), "no event and no alert arrived, and nothing was approved")
	for _, q := range i.openApprovals() {
		require.Equal(i.t, "waiting", q.State)
	}
}

// requireRefused waits until each act has failed and each delivery is a dead letter, both with the
// reason.
func (i *intrusion) requireRefused(bases []string) {
	i.t.Helper()
	sentence := func(text string) bool {
		return strings.Contains(text, "the address is this process' own, and an agent may not use the API of its own installation") ||
			strings.Contains(text, "it is the API of this installation or of one of its peers, and no agent may use that") || strings.Contains(text, "answered 307")
	}
	require.Eventually(i.t, func() bool {
		out, code := scanflow(i.t, "decisions", "--data", i.data, "--agent", "test/intruder", "--verb", "webhook", "--verdict", "admitted", "--wide")
		if code != 0 {
			return false
		}
		for _, base := range bases {
			for _, path := range []string{"/v1/approvals/" + i.id + "/approve", "/v1/alerts"} {
				found := false
				for line := range strings.Lines(out) {
					found = found || strings.Contains(line, "url="+base+path) && strings.Contains(line, "  failed  ") && sentence(line)
				}
				if !found {
					return false
				}
			}
		}
		return true
	}, time.Minute, 50*time.Millisecond, "every webhook fails with a sentence")
	require.Eventually(i.t, func() bool {
		out, code := scanflow(i.t, "events", "--server", i.daemon.url, "--token-file", filepath.Join(i.data, "token"), "--box", "dead")
		if code != 0 {
			return false
		}
		for _, base := range bases {
			found := false
			for line := range strings.Lines(out) {
				found = found || strings.Contains(line, base+"/v1/events ") && sentence(line)
			}
			if !found {
				return false
			}
		}
		return true
	}, time.Minute, 50*time.Millisecond, "every event is a dead letter that says why")
}

// An agent does not reach the API of its own installation, however it spells the address,
// and whatever lies between; not even with the token of the data folder. Spellings that
// servers read differently are no entry of guards.urls to begin with (urlguard.Allowed).
func TestAnAgentDoesNotReachItsOwnAPI(t *testing.T) {
	t.Run("a listener on loopback", func(t *testing.T) {
		i := newIntrusion(t, "127.0.0.1:0")
		port := strings.TrimPrefix(i.daemon.url, "http://127.0.0.1")
		to, err := url.Parse(i.daemon.url)
		require.NoError(t, err)
		forward := httputil.NewSingleHostReverseProxy(to)
		forwards := httptest.NewServer(forward)
		defer forwards.Close()
		redirects := httptest.NewServer(http.RedirectHandler(i.daemon.url+"/v1/approvals/"+i.id+"/approve", http.StatusTemporaryRedirect))
		defer redirects.Close()
		i.tries("http://127.0.0.1"+port, "http://localhost"+port, "http://LOCALHOST"+port, "http://0.0.0.0"+port, forwards.URL, redirects.URL)
		i.daemon.metric(`scanflow_http_refused_total{reason="agent"}`)
		i.daemon.said(`"reason":"agent"`)

		// The person still may.
		out, code := scanflow(t, "approve", i.id, "--server", i.daemon.url, "--data", i.data)
		require.Equal(t, 0, code, out)
		require.Contains(t, out, "(OS user, claimed)")
		i.calls(1)
		i.daemon.stop()
	})
	t.Run("a listener on every address", func(t *testing.T) {
		i := newIntrusion(t, ":0")
		port := strings.TrimPrefix(i.daemon.url, "http://127.0.0.1")
		bases := []string{"http://127.0.0.1" + port, "http://127.0.0.2" + port, "http://localhost" + port, "http://0.0.0.0" + port, "http://[::]" + port}
		addresses, err := net.InterfaceAddrs()
		require.NoError(t, err)
		for _, address := range addresses {
			if n, ok := address.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
				bases = append(bases, "http://"+n.IP.String()+port)
			}
		}
		i.tries(bases...)
		i.daemon.stop()
	})
}

// A proxy of the environment resolves names by itself, so that only the header is left.
func TestAProxyOfTheEnvironmentLeadsNoAgentToItsOwnAPI(t *testing.T) {
	var to *url.URL
	asked := make(chan string, 100)
	// One connection: a spare one that was dialled and never used would hold up the daemon's end.
	proxy := httptest.NewServer(&httputil.ReverseProxy{Transport: &http.Transport{MaxConnsPerHost: 1}, Rewrite: func(r *httputil.ProxyRequest) {
		asked <- r.In.Host
		r.SetURL(to)
		r.Out.Host = to.Host
	}})
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("NO_PROXY", "")
	i := newIntrusion(t, "127.0.0.1:0")
	var err error
	to, err = url.Parse(i.daemon.url)
	require.NoError(t, err)
	i.tries("http://scanflow.example.com:8282")
	require.Equal(t, "scanflow.example.com:8282", <-asked, "it went by the proxy")
	i.daemon.stop()
}

// Two installations refuse the agents of each other, though one names the other by --peer
// alone, and the other knows it as a sender alone; across a restart too.
func TestAnAgentDoesNotReachTheAPIOfAPeer(t *testing.T) {
	east, west := newSite(t), newSite(t)
	for _, s := range []*site{east, west} {
		s.worker("enforce", "event: {type: t.forged, from: [api, west]}")
		s.write("agents/watcher.yaml", s.read("workers/worker.yaml"))
		s.write("token", "between-us")
		s.write("policies/intruder.rego", intruderPolicy)
	}
	east.write("senders.yaml", "senders: [{name: west, peer: true, bearerToken: {file: "+east.dir+"/token}}]")
	e := startDaemon(t, east.args("--senders", east.dir+"/senders.yaml")...)
	w := startDaemon(t, west.args("--peer", e.url, "--peer-token-file", west.dir+"/token")...)
	peers := func(s *site) string {
		raw, err := os.ReadFile(filepath.Join(s.data, "peers"))
		if err != nil {
			return ""
		}
		return string(raw)
	}
	require.Eventually(t, func() bool { return peers(east) != "" && peers(west) != "" }, 20*time.Second, 10*time.Millisecond, "they have told each other who they are")
	id := func(s *site) string {
		raw, err := os.ReadFile(filepath.Join(s.data, "installation"))
		require.NoError(t, err)
		return strings.TrimSpace(string(raw))
	}
	require.NotEqual(t, id(east), id(west))
	require.Contains(t, peers(east), id(west))
	require.Contains(t, peers(west), id(east))
	w.stop()
	e.stop()

	// After a restart, without a word between them.
	e = startDaemon(t, east.args()...)
	w = startDaemon(t, west.args()...)
	wi, ei := &intrusion{site: west, daemon: w, id: "1"}, &intrusion{site: east, daemon: e, id: "1"}
	wi.tries(e.url)
	ei.tries(w.url)
	require.Empty(t, east.app.keys())
	require.Empty(t, west.app.keys())
	e.stop()
	w.stop()
}

// A sensor reads what the API shows, and writes nothing: with every credential, the headers of
// an event, and whatever path or redirect leads there.
func TestASensorWritesNothing(t *testing.T) {
	i := newIntrusion(t, "127.0.0.1:0")
	redirects := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := "/v1/events"
		if r.URL.Query().Has("answer") {
			to = "/v1/approvals/" + i.id + "/approve"
		}
		http.Redirect(w, r, i.daemon.url+to, http.StatusTemporaryRedirect)
	}))
	defer redirects.Close()
	approve := i.daemon.url + "/v1/approvals/" + i.id + "/approve"
	shown := fmt.Sprintf("bearerToken: {file: %q}, headers: {ce-id: '1', ce-source: /s, ce-type: t.forged, ce-specversion: '1.0'}", filepath.Join(i.data, "token"))
	var kinds []string
	for _, at := range []string{i.daemon.url, i.daemon.url + "/v1/events", i.daemon.url + "/v1/events?x=", i.daemon.url + "/v1/events/..", approve, redirects.URL, redirects.URL + "?answer=1"} {
		kinds = append(kinds,
			fmt.Sprintf("prometheus: {address: %q, query: up, %s}", at, shown),
			fmt.Sprintf("http: {url: %q, pointer: /a, %s}", at, shown),
			fmt.Sprintf("scrape: {url: %q, metric: up, %s}", at, shown),
		)
		if !strings.Contains(at, "?") {
			kinds = append(kinds, fmt.Sprintf("mlflow: {url: %q, runs: {experiment: a, take: count}, %s}", at, shown))
		}
	}
	var sensors strings.Builder
	for n, kind := range kinds {
		_, _ = fmt.Fprintf(&sensors, "    - {name: s%d, %s}\n", n, kind)
	}
	i.write("policies/idle.rego", "package scanflow.strategies.t.idle\n\npropose contains {\"primitive\": \"webhook\", \"with\": {\"url\": \"http://127.0.0.1:1/\"}, \"reason\": \"r\", \"because\": []} if false\n")
	i.write("agents/reader.yaml", `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: reader, namespace: test}
spec:
  targets: {static: [{name: api, namespace: prod}]}
  triggers: [{name: tick, every: 100ms}]
  sensors:
`+sensors.String()+`  strategies: [t.idle]
  primitives: [webhook]
`)
	for _, n := range []string{"3", "6"} {
		i.daemon.metric(`scanflow_firings_total{agent="test/reader",trigger="every"} ` + n)
	}
	require.Empty(t, i.app.keys(), "no event arrived, and nothing was approved")
	for _, q := range i.openApprovals() {
		require.Equal(t, "waiting", q.State)
	}
	i.daemon.stop()
}
