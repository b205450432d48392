package main

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

var (
	roleBindingsResource    = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"}
	serviceAccountsResource = schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
)

// ready returns the status and the text of /readyz.
func (d *daemon) ready() (bool, string) {
	code, body := d.get("/readyz")
	return code == http.StatusOK, body
}

// until waits until /readyz is as wanted, and returns its text.
func (d *daemon) readyUntil(want bool) string {
	d.t.Helper()
	require.Eventually(d.t, func() bool { ready, _ := d.ready(); return ready == want }, time.Minute, 50*time.Millisecond, "ready: %v", !want)
	_, body := d.ready()
	return body
}

// scrape appends the metrics of replicas to a Prometheus.
func scrape(t *testing.T, prom *promengine.Engine, at time.Time, replicas ...*daemon) {
	t.Helper()
	series := regexp.MustCompile(`^(scanflow_\w+)(?:\{(.*)\})? (\S+)$`)
	label := regexp.MustCompile(`(\w+)="([^"]*)"`)
	var samples []promengine.Sample
	for i, d := range replicas {
		_, body := d.get("/metrics")
		for line := range strings.Lines(body) {
			m := series.FindStringSubmatch(strings.TrimSpace(line))
			if m == nil {
				continue
			}
			labels := map[string]string{"__name__": m[1], "pod": d.url, "job": "scanflow"}
			for _, l := range label.FindAllStringSubmatch(m[2], -1) {
				labels[l[1]] = l[2]
			}
			var v float64
			require.NoError(t, json.Unmarshal([]byte(m[3]), &v), "replica %d: %s", i, line)
			samples = append(samples, promengine.Sample{Labels: labels, At: at, Value: v})
		}
	}
	require.NoError(t, prom.Append(t.Context(), samples))
}

// firing returns which of these alerts hold over the metrics of replicas as they are now.
func firing(t *testing.T, alerts []string, replicas ...*daemon) (out []string) {
	t.Helper()
	prom, err := promengine.Open(promengine.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, prom.Close()) }()
	now := time.Now().Truncate(time.Second)
	scrape(t, prom, now.Add(-time.Second), replicas...)
	rules := alertRules(t)
	for _, alert := range alerts {
		if holds(t, prom, rules[alert], now) {
			out = append(out, alert)
		}
	}
	return out
}

var leaderAlerts = []string{"ScanflowNobodyLeads", "ScanflowShardGone", "ScanflowLeaseFailing", "ScanflowLeaseNotRenewed", "ScanflowLeaseConflict"}

// The replicas lose their access: each says who led, since when the Lease can't be had and why,
// in readiness, metrics, API and log. The alerts fire, `scanflow status` knows by the Lease alone,
// and all is well again once the access is back.
func TestKubernetesNobodyMayLead(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	for name, row := range map[string]struct {
		deny   func(t *testing.T, s *stage) (mend func())
		reason string
		says   string
	}{
		"the RoleBinding is deleted": {func(t *testing.T, s *stage) func() {
			bindings := c.Client().Dynamic.Resource(roleBindingsResource).Namespace(s.namespace)
			list, err := bindings.List(t.Context(), metav1.ListOptions{})
			require.NoError(t, err)
			require.NoError(t, bindings.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))
			return func() {
				for _, b := range list.Items {
					b.SetResourceVersion("")
					_, err := bindings.Create(context.Background(), &b, metav1.CreateOptions{})
					require.NoError(t, err)
				}
			}
		}, "forbidden", `User "system:serviceaccount:NAMESPACE:scanflow" cannot (get|update) resource "leases" in API group "coordination\.k8s\.io" in the namespace "NAMESPACE"`},
		"the token is revoked": {func(t *testing.T, s *stage) func() {
			require.NoError(t, c.Client().Dynamic.Resource(serviceAccountsResource).Namespace(s.namespace).Delete(t.Context(), "scanflow", metav1.DeleteOptions{}))
			return nil
		}, "unauthorized", `the API server does not accept the token of User "system:serviceaccount:NAMESPACE:scanflow", which is valid until`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, c, followAgent)
			s.wants(2)
			s.apply(webDeployment)
			s.apply(followAgent)
			replicas := []*daemon{s.daemon()}
			s.scaledTo("web", 2)
			replicas = append(replicas, s.daemon())
			replicas[1].said("another leads")
			for _, d := range replicas {
				d.readyUntil(true)
			}
			require.Empty(t, firing(t, leaderAlerts, replicas...))
			out, code := scanflow(t, "status", "--kubernetes", "--kubeconfig", c.Kubeconfig(), "--namespace", s.namespace)
			require.Equal(t, 0, code, out)

			mend := row.deny(t, s)
			for _, d := range replicas {
				body := d.readyUntil(false)
				require.Regexp(t, `lease `+s.namespace+`/scanflow can't be had since \S+Z \(\d+s\), `+row.reason+`: `, body)
				require.Regexp(t, strings.ReplaceAll(row.says, "NAMESPACE", s.namespace), body)
				require.Regexp(t, `as last seen, \S+_[0-9a-f]{8} held it, and renewed it \d+s ago`, body)
				d.metric(`scanflow_leader{install="` + s.namespace + `/scanflow",shard="0"} 0`)
				require.NotContains(t, d.text(), "eyJ", "no token in the log")
				var election electionJSON
				_, body = d.get("/v1/election")
				require.NoError(t, json.Unmarshal([]byte(body), &election), body)
				require.Equal(t, row.reason, election.Failing.Reason)
				require.False(t, election.Leading)
				require.Greater(t, election.RenewalAge, election.Duration)
			}
			replicas[0].said("leadership lost")
			for line := range strings.Lines(replicas[0].text()) {
				if strings.Contains(line, "leadership lost") {
					require.NotContains(t, line, "deadline exceeded")
				}
			}
			require.Equal(t, []string{"ScanflowNobodyLeads", "ScanflowLeaseFailing", "ScanflowLeaseNotRenewed"}, firing(t, leaderAlerts, replicas...))
			out, code = scanflow(t, "status", "--kubernetes", "--kubeconfig", c.Kubeconfig(), "--namespace", s.namespace)
			require.Equal(t, 3, code, out)
			require.Contains(t, out, "nobody leads")

			if mend != nil {
				mend()
				for _, d := range replicas {
					d.readyUntil(true)
				}
				s.wants(3)
				s.scaledTo("web", 3)
				require.Empty(t, firing(t, leaderAlerts, replicas...))
				for _, d := range replicas {
					require.Equal(t, 1, strings.Count(d.text(), "the lease can be asked for again"))
					d.stop()
				}
			}
		})
	}
}

// Two installations under one name: the second process ends with an error that names both scopes.
// A process of the same workload waits, and leads once the other is gone.
func TestKubernetesTwoInstallationsUnderOneName(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	s := newStage(t, c, followAgent)
	s.wants(1)
	s.apply(webDeployment)
	s.apply(followAgent)
	first := s.daemon("--replica-of", "Deployment/one")
	first.readyUntil(true)
	second := launch(t, "--kubernetes", "--kubeconfig", s.config, "--namespace", s.namespace, "--policies", s.policies, "--data", t.TempDir(), "--lease-duration", "3s", "--agents", "part=b")
	require.Error(t, <-second.exit)
	require.Regexp(t, `the lease `+s.namespace+`/scanflow is held by \S+, which serves the namespace `+s.namespace+`; this process, \S+, serves the namespace `+s.namespace+`, agents part=b: these are two installations under one name; give this one a name of its own with --install NAME`, second.text())

	next := s.daemon("--replica-of", "Deployment/one", "--agents", "!part")
	next.said("another leads, and is waited for: it is of the same workload, with another scope")
	next.readyUntil(true)
	first.stop()
	next.said(`"@message":"leading"`)
	next.readyUntil(true)
	next.stop()
}

// A Lease whose holder is gone is no obstacle, whatever its scope, and neither is the holder's clock.
func TestKubernetesTheLeaseOfADeadInstallation(t *testing.T) {
	t.Parallel()
	s := newStage(t, testcluster.Shared(t), followAgent)
	s.wants(1)
	s.apply(webDeployment)
	s.apply(followAgent)
	s.apply(`{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: scanflow, namespace: NAMESPACE, annotations: {scanflow.dev/scope: '{"holder":"dead","namespace":"elsewhere"}'}}, spec: {holderIdentity: dead, leaseDurationSeconds: 2, renewTime: "2099-01-01T00:00:00.000000Z"}}`)
	d := s.daemon()
	d.readyUntil(true)
	d.stop()
}
