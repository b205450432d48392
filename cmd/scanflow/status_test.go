package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/lease"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// Long names, long messages and every state fit into the width.
func TestStatusFitsTheScreen(t *testing.T) {
	long := strings.Repeat("a-long-name-", 7)
	now := time.Now().UTC()
	at := func(ago time.Duration) *time.Time { then := now.Add(-ago); return &then }
	i := &installations{
		Namespace: long,
		Shards: []shardStatus{
			{Install: long + "/" + long, Of: 1, Leads: true, Holder: long, RenewTime: at(0), Duration: 15},
			{Install: "ml/a", Shard: 11, Of: 12, Holder: long, RenewTime: at(400 * time.Hour), Watched: 5, Duration: 15},
			{Install: "ml/b", Of: 1, Holder: "x", RenewTime: at(-time.Hour), Watched: 15.2, Duration: 15},
			{Install: "ml/c", Of: 1, RenewTime: at(time.Hour)}, {Install: "ml/d", Of: 2, Lease: "ml/d-0"},
		},
		Replicas: []replicaStatus{{Name: long, Phase: "Running", Ready: true, Restarts: 12345, Leads: []string{long, long}}},
		Agents: []agentStatus{{Agent: long + "/" + long, Mode: "enforce", Targets: 10000, Conditions: []manifest.Condition{
			{Type: "Ready", Status: "False", Reason: "NoLeader", Message: strings.Repeat("word ", 60)},
			{Type: "Accepted", Status: "True", Reason: "Valid"}, {Type: "Running", Status: "True", Reason: "Problems", Message: "one\ntwo"},
		}}, {Agent: "ml/x", Mode: "dry-run", Conditions: []manifest.Condition{}}},
		Unread: []string{"the pods of the namespace ml: forbidden"},
	}
	for _, s := range i.Shards {
		if !s.Leads {
			i.Problems = append(i.Problems, s.problem(now))
		}
	}
	text := i.text()
	for line := range strings.Lines(text) {
		if !strings.Contains(line, long) { // a single word may be wider
			require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 100, line)
		}
	}
	flat := strings.Join(strings.Fields(text), " ")
	for _, want := range []string{
		"nobody leads shard 11 of 12 of ml/a: " + long + " holds its Lease, and did not renew it while it was watched for 5s; the last renewal was at",
		"400h0m0s ago by this machine's", "by the holder's clock, which is ahead of this machine's by 1h0m0s or more",
		"nobody leads ml/c: its Lease was given up", "nobody leads shard 0 of 2 of ml/d: there is no Lease ml/d-0",
		"Ready=False, NoLeader: word", "Running=True, Problems: one two", "is as its last leader left it", "can't read the pods of the namespace ml: forbidden",
	} {
		require.Contains(t, flat, want)
	}
	require.Equal(t, text, i.text(), "showing it changes nothing")
}

// Of the Leases of an installation, those of another number of shards are left over.
func TestStatusKnowsWhichShardsThereAre(t *testing.T) {
	seen := func(name, shard string, renewed bool, ago time.Duration) lease.Seen {
		return lease.Seen{Namespace: "ml", Name: name, Holder: "h", Scope: lease.Scope{Shard: shard}, ScopeKnown: true, Renewed: renewed, RenewTime: time.Unix(1e9, 0).Add(-ago)}
	}
	for name, row := range map[string]struct {
		leases []lease.Seen
		want   string // shard, how many, whether it is led
	}{
		"one process":             {[]lease.Seen{seen("x", "", true, 0)}, "0/1 true"},
		"three shards":            {[]lease.Seen{seen("x-0", "0/3 by name", true, 0), seen("x-1", "1/3 by name", true, 0), seen("x-2", "2/3 by name", true, 0)}, "0/3 true, 1/3 true, 2/3 true"},
		"one is missing":          {[]lease.Seen{seen("x-0", "0/3 by name", true, 0), seen("x-2", "2/3 by name", true, 0)}, "0/3 true, 1/3 false, 2/3 true"},
		"one is dead":             {[]lease.Seen{seen("x-0", "0/2 by name", true, 0), seen("x-1", "1/2 by name", false, time.Hour)}, "0/2 true, 1/2 false"},
		"there were more":         {[]lease.Seen{seen("x-0", "0/2 by name", true, 0), seen("x-1", "1/2 by name", true, 0), seen("x-2", "2/3 by name", false, time.Hour)}, "0/2 true, 1/2 true"},
		"there were none before":  {[]lease.Seen{seen("x", "", false, time.Hour), seen("x-0", "0/2 by name", true, 0), seen("x-1", "1/2 by name", true, 0)}, "0/2 true, 1/2 true"},
		"there are none any more": {[]lease.Seen{seen("x", "", true, 0), seen("x-0", "0/2 by name", false, time.Hour), seen("x-1", "1/2 by name", false, time.Hour)}, "0/1 true"},
		"all are dead":            {[]lease.Seen{seen("x-0", "0/2 by name", false, time.Minute), seen("x-1", "1/2 by name", false, time.Minute), seen("x", "", false, time.Hour)}, "0/2 false, 1/2 false"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, s := range sortedShards(shardsOf(row.leases)) {
				require.Equal(t, "ml/x", s.Install)
				got = append(got, fmt.Sprintf("%d/%d %v", s.Shard, s.Of, s.Leads))
			}
			require.Equal(t, row.want, strings.Join(got, ", "))
		})
	}
}

// status needs no Scanflow, and says what a user did wrong.
func TestKubernetesStatus(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	ns := c.Namespace(t)
	status := func(args ...string) (string, int) {
		return scanflow(t, append([]string{"status", "--kubernetes", "--kubeconfig", c.Kubeconfig(), "-n", ns}, args...)...)
	}
	out, code := status("--server", "http://127.0.0.1:1", "--utc")
	require.Equal(t, 1, code)
	require.Contains(t, out, "--server: is for asking a running scanflow, and --kubernetes asks none\n--utc: ")
	out, code = status()
	require.Equal(t, 3, code)
	require.Contains(t, strings.Join(strings.Fields(out), " "), "nobody leads any installation in the namespace "+ns+": there is no Lease")
	out, code = status("--install", "mine")
	require.Equal(t, 3, code)
	require.Contains(t, out, "nobody leads mine in the namespace")

	c.Apply(t, fmt.Sprintf(`apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: scanflow, namespace: %[1]s, annotations: {scanflow.dev/scope: '{"holder":"pod-a_1234","namespace":"%[1]s","agents":"part=a"}'}}
spec: {holderIdentity: pod-a_1234, leaseDurationSeconds: 3, renewTime: "2026-01-01T00:00:00.000000Z"}
---
apiVersion: v1
kind: Pod
metadata: {name: pod-a, namespace: %[1]s, labels: {app.kubernetes.io/name: scanflow}}
spec: {nodeSelector: {on: no-node}, containers: [{name: c, image: none}]}
---
apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: one, namespace: %[1]s, labels: {part: a}}
spec: {targets: {static: [{name: x}]}, triggers: [{name: tick, every: 10s}], strategies: [t.x], primitives: [webhook]}
---
apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: other, namespace: %[1]s, labels: {part: b}}
spec: {targets: {static: [{name: x}]}, triggers: [{name: tick, every: 10s}], strategies: [t.x], primitives: [webhook]}
`, ns))
	out, code = status()
	require.Equal(t, 3, code, out)
	flat := strings.Join(strings.Fields(out), " ")
	require.Contains(t, flat, "nobody leads "+ns+"/scanflow: pod-a_1234 holds its Lease, and did not renew it while it was watched for")
	require.Contains(t, flat, "the last renewal was at 2026-01-01T00:00:00Z by the holder's clock")
	require.Contains(t, flat, "pod-a Pending no 0")
	require.Contains(t, flat, ns+"/one enforce 0 Unknown - -")
	require.NotContains(t, out, ns+"/other", "another process serves it")

	out, code = status("--json")
	require.Equal(t, 3, code, out)
	var read installations
	require.NoError(t, json.Unmarshal([]byte(out), &read), out)
	require.Equal(t, 1, strings.Count(out, "\n"))
	require.Len(t, read.Shards, 1)
	require.False(t, read.Shards[0].Leads)
	require.Equal(t, "part=a", read.Shards[0].Scope.Agents)
	require.Len(t, read.Problems, 1)

	// Who may list leases and nothing else is told so, and is told the rest.
	config := c.KubeconfigFor(t, ns, "reader")
	c.Apply(t, fmt.Sprintf(`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: %[1]s}
rules: [{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: %[1]s}]
`, ns))
	require.Eventually(t, func() bool {
		out, _ = scanflow(t, "status", "--kubernetes", "--kubeconfig", config)
		return strings.Contains(out, "nobody leads "+ns+"/scanflow")
	}, 30*time.Second, 100*time.Millisecond)
	require.Contains(t, out, "can't read the pods of the namespace "+ns)
	require.Contains(t, strings.Join(strings.Fields(out), " "), `cannot list resource "agents"`)
}
