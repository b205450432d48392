package lease

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

const (
	// lookEvery spaces out the looks at leases that are watched for a renewal.
	lookEvery = 500 * time.Millisecond
	// renewalsIn is the part of a lease's duration in which a leader renews it at least twice.
	renewalsIn = 3
)

// Seen is a Lease as somebody who takes no part in the election sees it.
type Seen struct {
	Namespace, Name string
	// Holder is who holds the lease; "" for nobody.
	Holder string
	// Scope is the holder's, or the last holder's; ScopeKnown is false for an earlier release.
	Scope      Scope
	ScopeKnown bool
	// RenewTime is when the holder renewed the lease last, by the holder's clock.
	RenewTime time.Time
	Duration  time.Duration
	// Renewed reports whether a renewal was seen, and Watched how long it was looked for. Clocks of
	// two machines may differ: a renewal that is seen is the only proof of a leader.
	Renewed bool
	Watched time.Duration

	first time.Time // RenewTime at the first look
}

// Install returns the name of the lease's installation: without the shard.
func (s Seen) Install() string {
	if shard, _, ok := strings.Cut(s.Scope.Shard, "/"); ok && shard != "" {
		return strings.TrimSuffix(s.Name, "-"+shard)
	}
	return s.Name
}

// Survey looks at the leases of the installations in a namespace until each held one was renewed,
// or has had the time to be. install selects one installation; "" is all whose leases say their
// scope, and "scanflow", by which an earlier release is known.
//
// A lease counts as not renewed once it was watched for its duration, as a standby does. A third of
// that is enough where the renewTime is older than the duration too, by this machine's clock.
func Survey(ctx context.Context, client *apiclient.Client, namespace, install string) ([]Seen, error) {
	leases, err := coordination.NewForConfig(client.Config)
	if err != nil {
		return nil, fmt.Errorf("list the leases in %s: %w", namespace, err)
	}
	var out []Seen
	for begin := time.Now(); ; {
		list, err := leases.Leases(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("list the leases in %s: %w", namespace, err)
		}
		out = merge(out, list.Items, install, time.Since(begin))
		if !slices.ContainsFunc(out, Seen.undecided) {
			return out, nil
		}
		if !engine.Sleep(ctx, engine.WallClock{}, lookEvery) {
			return nil, errors.Join(errors.New("watch the leases for a renewal"), ctx.Err())
		}
	}
}

// merge returns the leases of a list, compared with how they were at the first look.
func merge(before []Seen, list []coordinationv1.Lease, install string, watched time.Duration) (out []Seen) {
	for i := range list {
		now := seen(&list[i])
		if !now.of(install) {
			continue
		}
		now.Watched = watched
		if at := slices.IndexFunc(before, func(b Seen) bool { return b.Name == now.Name }); at >= 0 {
			now.first = before[at].first
			now.Renewed = now.Holder != "" && !now.RenewTime.Equal(now.first)
		}
		out = append(out, now)
	}
	return out
}

func seen(l *coordinationv1.Lease) Seen {
	s := Seen{Namespace: l.Namespace, Name: l.Name, Holder: holderOf(l), Duration: durationOf(l)}
	if l.Spec.RenewTime != nil {
		s.RenewTime = l.Spec.RenewTime.Time
	}
	s.first = s.RenewTime
	_, s.Scope, s.ScopeKnown = scopeWritten(l)
	return s
}

var shardSuffix = regexp.MustCompile(`^-\d+$`)

// of reports whether a lease is one of an installation's.
func (s Seen) of(install string) bool {
	if install == "" {
		if s.ScopeKnown {
			return true
		}
		install = "scanflow"
	}
	rest, ok := strings.CutPrefix(s.Name, install)
	return ok && (rest == "" || shardSuffix.MatchString(rest))
}

// undecided reports whether it is still open if anybody renews the lease.
func (s Seen) undecided() bool {
	if s.Holder == "" || s.Renewed || s.Watched >= s.Duration {
		return false
	}
	return time.Since(s.RenewTime) < s.Duration || s.Watched < s.Duration/renewalsIn
}
