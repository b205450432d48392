package lease

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// leaseText is a Lease by hand, renewed some time ago by the holder's clock.
func leaseText(namespace, name, holder string, ago time.Duration, seconds int, scope string) string {
	if scope != "" {
		scope = fmt.Sprintf("annotations: {scanflow.dev/scope: '%s'}, ", scope)
	}
	return fmt.Sprintf("{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {%sname: %s, namespace: %s}, spec: {holderIdentity: %q, leaseDurationSeconds: %d, renewTime: %q}}\n---\n",
		scope, name, namespace, holder, seconds, time.Now().Add(-ago).UTC().Format("2006-01-02T15:04:05.000000Z"))
}

// A renewal that is seen makes a leader, and no clock does: neither that of the holder nor ours.
func TestSurveyComparesNoClocks(t *testing.T) {
	c := testcluster.Shared(t)
	const seconds = 3
	for name, row := range map[string]struct {
		holder  string
		ago     time.Duration // the last renewal, by the holder's clock
		renews  bool
		atLeast time.Duration
		atMost  time.Duration
	}{
		"alive":                           {"a", 0, true, 0, seconds * time.Second},
		"alive, its clock an hour behind": {"a", time.Hour, true, 0, seconds * time.Second},
		"alive, its clock an hour ahead":  {"a", -time.Hour, true, 0, seconds * time.Second},
		"dead":                            {"a", time.Minute, false, seconds * time.Second / 3, seconds * time.Second},
		"dead, its clock ahead":           {"a", -time.Hour, false, seconds * time.Second, time.Minute},
		"dead for a moment":               {"a", 0, false, seconds * time.Second, time.Minute},
		"given up":                        {"", time.Minute, false, 0, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := c.Namespace(t)
			c.Apply(t, leaseText(ns, "scanflow", row.holder, row.ago, seconds, ""))
			if row.renews {
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					for ctx.Err() == nil {
						l, err := leases(t, c, ns).Get(ctx, "scanflow", metav1.GetOptions{})
						if err == nil {
							now := metav1.NewMicroTime(time.Now().Add(-row.ago))
							l.Spec.RenewTime = &now
							_, _ = leases(t, c, ns).Update(ctx, l, metav1.UpdateOptions{})
						}
					}
				}()
				defer func() { stop(); <-ended }()
			}
			seen, err := Survey(t.Context(), c.Client(), ns, "")
			require.NoError(t, err)
			require.Len(t, seen, 1)
			require.Equal(t, row.renews, seen[0].Renewed)
			require.Equal(t, row.holder, seen[0].Holder)
			require.Equal(t, "scanflow", seen[0].Install())
			require.GreaterOrEqual(t, seen[0].Watched, row.atLeast)
			require.Less(t, seen[0].Watched, row.atMost)
		})
	}
}

// A namespace has Leases of several installations, of shards, and of others.
func TestSurveyFindsInstallations(t *testing.T) {
	c := testcluster.Shared(t)
	ns := c.Namespace(t)
	text := leaseText(ns, "kube-scheduler", "x", time.Hour, 1, "") + leaseText(ns, "scanflow", "", time.Hour, 1, "") + leaseText(ns, "scanflower", "x", time.Hour, 1, "") +
		leaseText(ns, "planner", "", time.Hour, 1, `{"holder":"x","namespace":"a"}`) + leaseText(ns, "planner-2", "", time.Hour, 1, `{"holder":"y","namespace":"a","shard":"2/3 by name"}`) +
		leaseText(ns, "mine-7", "", time.Hour, 1, `{"holder":"y","namespace":""}`)
	c.Apply(t, text)
	names := func(install string) map[string]string {
		seen, err := Survey(t.Context(), c.Client(), ns, install)
		require.NoError(t, err)
		out := map[string]string{}
		for _, s := range seen {
			out[s.Name] = s.Install()
		}
		return out
	}
	require.Equal(t, map[string]string{"scanflow": "scanflow", "planner": "planner", "planner-2": "planner", "mine-7": "mine-7"}, names(""))
	require.Equal(t, map[string]string{"planner": "planner", "planner-2": "planner"}, names("planner"))
	require.Equal(t, map[string]string{"mine-7": "mine-7"}, names("mine-7"))
	require.Empty(t, names("none"))
	require.Equal(t, map[string]string{"mine-7": "mine-7"}, names("mine"), "an earlier release would have named a shard so")
}
