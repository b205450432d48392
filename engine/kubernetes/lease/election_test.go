package lease

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// logBuffer is a log that a test reads while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logBuffer) line(t *testing.T, message string) string {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, message) {
			return line
		}
	}
	require.FailNow(t, "the log lacks "+message, l.String())
	return ""
}

// oneLineAReason fails where a failure is logged again with the reason of the line before. A busy
// API server may add a reason of its own.
func (l *logBuffer) oneLineAReason(t *testing.T) {
	t.Helper()
	before := ""
	for line := range strings.Lines(l.String()) {
		switch {
		case strings.Contains(line, "the lease can't be had"):
			reason := failureReason.FindString(line)
			require.NotEmpty(t, reason, line)
			require.NotEqual(t, before, reason, l.String())
			before = reason
		case strings.Contains(line, "the lease can be asked for again"):
			before = ""
		}
	}
}

// failureReason is the field of a log line.
var failureReason = regexp.MustCompile(`reason="?\w+`)

const leaseRole = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: leader, namespace: NAMESPACE}
rules: [{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: leader, namespace: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: leader}
subjects: [{kind: ServiceAccount, name: leader, namespace: NAMESPACE}]
`

// limited returns a connection with the rights of leaseRole, whose requests pass through meddle.
func limited(t *testing.T, c *testcluster.Cluster, namespace string, meddle func(*http.Request) error) *apiclient.Client {
	t.Helper()
	config := c.KubeconfigFor(t, namespace, "leader")
	c.Apply(t, strings.ReplaceAll(leaseRole, "NAMESPACE", namespace))
	client, err := apiclient.New(apiclient.Options{Kubeconfig: config})
	require.NoError(t, err)
	gate := client.Config.WrapTransport
	client.Config.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
		return gate(tripper(func(r *http.Request) (*http.Response, error) {
			if err := meddle(r); err != nil {
				return nil, err
			}
			return next.RoundTrip(r)
		}))
	}
	return client
}

var roleBindings = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"}

// The leader and the standby lose their access. Both know since when and why, in the API server's
// own words; the log says it once; and both recover once they have access again.
func TestWhyTheLeaseCantBeHad(t *testing.T) {
	c := testcluster.Shared(t)
	// A token that the API server does not know, for the account leader.
	revoked := "Bearer e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"system:serviceaccount:ns:leader","exp":4102444800}`)) + ".c2ln"
	for name, row := range map[string]struct {
		reason apiclient.Reason
		deny   func(t *testing.T, namespace string) (mend func())
		meddle func(*http.Request) error
		says   []string
	}{
		"the role binding is deleted": {reason: apiclient.Forbidden,
			deny: func(t *testing.T, ns string) func() {
				require.NoError(t, c.Client().Dynamic.Resource(roleBindings).Namespace(ns).Delete(t.Context(), "leader", metav1.DeleteOptions{}))
				return func() { c.Apply(t, strings.ReplaceAll(leaseRole, "NAMESPACE", ns)) }
			},
			says: []string{`User "system:serviceaccount:NAMESPACE:leader" cannot VERB resource "leases" in API group "coordination.k8s.io" in the namespace "NAMESPACE"`}},
		"the token is revoked": {reason: apiclient.Unauthorized,
			meddle: func(r *http.Request) error { r.Header.Set("Authorization", revoked); return nil },
			says:   []string{`the API server does not accept the token of User "system:serviceaccount:ns:leader", which is valid until 2100-01-01T00:00:00Z and was revoked`, `(401 Unauthorized): can't VERB resource "leases" in API group "coordination.k8s.io" in the namespace "NAMESPACE"`}},
		"the connection is cut": {reason: apiclient.Unreachable,
			meddle: func(*http.Request) error { return errors.New("the connection is cut") }, says: []string{"the connection is cut"}},
		"no answer comes": {reason: apiclient.TimedOut,
			meddle: func(r *http.Request) error { <-r.Context().Done(); return r.Context().Err() }, says: []string{"context deadline exceeded"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := c.Namespace(t)
			var broken atomic.Bool
			client := limited(t, c, ns, func(r *http.Request) error {
				if row.meddle != nil && broken.Load() {
					return row.meddle(r)
				}
				return nil
			})
			log := [2]*logBuffer{{}, {}}
			states := [2]State{}
			begin := func(i int) *running {
				o := fast(client, ns, fmt.Sprint("replica", i))
				o.Duration, o.Renew = 3*time.Second, 2*time.Second // a busy API server answers in time
				o.State, o.Log = &states[i], hclog.New(&hclog.LoggerOptions{Output: log[i]})
				return run(t, o, false)
			}
			first := begin(0)
			leads := first.wait(t)
			begin(1)
			election := func(i int) Election { e, _ := states[i].Election(); return e }
			require.Eventually(t, func() bool { return election(1).Held(time.Now()) }, 10*time.Second, time.Millisecond)
			require.True(t, election(0).Holds())
			require.False(t, election(1).Holds())
			require.Equal(t, election(0).Identity, election(1).Holder)

			before := time.Now()
			var mend func()
			if row.deny != nil {
				mend = row.deny(t, ns)
			}
			broken.Store(true)
			<-leads.ctx.Done()
			for i := range 2 {
				require.Eventually(t, func() bool {
					e := election(i)
					return e.Failure != nil && e.Failure.Reason == row.reason && !e.Held(time.Now())
				}, 10*time.Second, time.Millisecond, "%+v", election(i))
				e := election(i)
				require.False(t, e.Failure.Since.Before(before), "it worked before")
				require.Equal(t, election(0).Identity, e.Holder, "the last that is known of")
				require.Greater(t, e.RenewalAge(time.Now()), e.Duration)
			}
			verbs := []string{"update", "get"} // the leader renews, the standby looks
			for i, message := range []string{"leadership lost", "the lease can't be had"} {
				for _, want := range row.says {
					require.Contains(t, strings.ReplaceAll(log[i].line(t, message), `\"`, `"`), strings.NewReplacer("NAMESPACE", ns, "VERB", verbs[i]).Replace(want))
				}
				log[i].oneLineAReason(t)
			}
			if row.reason != apiclient.TimedOut {
				require.NotContains(t, log[0].line(t, "leadership lost"), "deadline exceeded")
			}

			broken.Store(false)
			if mend != nil {
				mend()
			}
			for i := range 2 {
				require.Eventually(t, func() bool { e := election(i); return e.Failure == nil && e.Held(time.Now()) }, 10*time.Second, time.Millisecond)
				log[i].line(t, "the lease can be asked for again")
			}
		})
	}
}

// suffix is the random part of an identity.
var suffix = regexp.MustCompile(`_[0-9a-f]{8}`)

// A holder that serves something else is a mistake of whoever started the process, unless both
// are pods of one workload that is being rolled out.
func TestTwoScopesUnderOneName(t *testing.T) {
	c := testcluster.Shared(t)
	for name, row := range map[string]struct {
		first, second Scope
		conflict      string // what the error says
	}{
		"the same":                      {Scope{Namespace: "a"}, Scope{Namespace: "a"}, ""},
		"another namespace":             {Scope{Namespace: "a"}, Scope{Namespace: "b"}, "which serves the namespace a; this process, second, serves the namespace b"},
		"every namespace":               {Scope{}, Scope{Namespace: "b"}, "which serves every namespace; this process, second, serves the namespace b"},
		"other agents":                  {Scope{Agents: "x=y"}, Scope{Agents: "x=z"}, "which serves every namespace, agents x=y; this process, second, serves every namespace, agents x=z"},
		"another number of shards":      {Scope{Shard: "0/2 by name"}, Scope{Shard: "0/3 by name"}, "shard 0/2 by name; this process, second, serves every namespace, shard 0/3 by name"},
		"shards by something else":      {Scope{Shard: "0/2 by name"}, Scope{Shard: "0/2 by namespace"}, "shard 0/2 by name"},
		"a rollout":                     {Scope{Namespace: "a", ReplicaOf: "Deployment/x"}, Scope{Namespace: "b", ReplicaOf: "Deployment/x"}, ""},
		"two workloads":                 {Scope{Namespace: "a", ReplicaOf: "Deployment/x"}, Scope{Namespace: "b", ReplicaOf: "Deployment/y"}, "--install NAME, or the same scope"},
		"two workloads, one scope":      {Scope{Namespace: "a", ReplicaOf: "Deployment/x"}, Scope{Namespace: "a", ReplicaOf: "Deployment/y"}, ""},
		"a workload beside one by hand": {Scope{Namespace: "a"}, Scope{Namespace: "b", ReplicaOf: "Deployment/y"}, "give both --replica-of WORKLOAD"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := c.Namespace(t)
			o := fast(c.Client(), ns, "first")
			o.Scope = row.first
			require.NoError(t, CheckScope(t.Context(), o), "nobody has it")
			first := run(t, o, false)
			first.wait(t)

			var state State
			log := &logBuffer{}
			o.Identity, o.Scope, o.State, o.Log = "second", row.second, &state, hclog.New(&hclog.LoggerOptions{Output: log})
			err := CheckScope(t.Context(), o)
			second := run(t, o, false)
			require.Eventually(t, func() bool { e, _ := state.Election(); return e.Holder != "" }, 10*time.Second, time.Millisecond)
			e, _ := state.Election()
			if row.conflict == "" {
				require.NoError(t, err)
				require.Nil(t, e.Conflict)
			} else {
				var conflict *ScopeError
				require.ErrorAs(t, err, &conflict)
				require.ErrorContains(t, err, "the lease "+ns+"/planner is held by first_")
				for _, err := range []error{err, e.Conflict} {
					require.Contains(t, suffix.ReplaceAllString(err.Error(), ""), row.conflict)
				}
				require.Contains(t, log.line(t, "this process does not stand by"), "[ERROR]")
			}
			require.Equal(t, strings.HasPrefix(name, "a rollout"), strings.Contains(log.String(), "is waited for"))

			// A lease that is free is taken, whoever had it.
			first.end(t)
			second.wait(t)
			e, _ = state.Election()
			require.Nil(t, e.Conflict)
			there := read(t, leases(t, c, ns))
			scope, known := ScopeOf(there)
			require.True(t, known)
			require.Equal(t, row.second, scope)
		})
	}
}

// Only a holder that is alive, and whose scope is known, is an obstacle.
func TestAScopeThatDoesNotCount(t *testing.T) {
	c := testcluster.Shared(t)
	for name, text := range map[string]string{
		"of a holder that is dead": `{holder: gone, namespace: a}`,
		"of an earlier holder":     `{holder: earlier, namespace: a}`,
		"that nobody can read":     `nonsense`,
		"of an earlier release":    ``,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := c.Namespace(t)
			annotation := strings.NewReplacer("{holder: ", `{"holder":"`, ", namespace: a}", `","namespace":"a"}`).Replace(text)
			c.Apply(t, fmt.Sprintf("{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: planner, namespace: %s, annotations: {scanflow.dev/scope: '%s', other: kept}}, spec: {holderIdentity: gone, leaseDurationSeconds: 1}}", ns, annotation))
			o := fast(c.Client(), ns, "second")
			o.Scope = Scope{Namespace: "b"}
			require.NoError(t, CheckScope(t.Context(), o))
			run(t, o, false).wait(t)
			there := read(t, leases(t, c, ns))
			require.Equal(t, "kept", there.Annotations["other"])
			scope, known := ScopeOf(there)
			require.True(t, known)
			require.Equal(t, o.Scope, scope)
		})
	}
}
