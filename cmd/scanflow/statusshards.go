package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/lease"
)

// installations are those in a namespace, as a kubeconfig may see them.
type installations struct {
	Namespace string          `json:"namespace"`
	Shards    []shardStatus   `json:"shards"`
	Replicas  []replicaStatus `json:"replicas"`
	Agents    []agentStatus   `json:"agents"`
	// Problems say where nobody leads. They set the exit status.
	Problems []string `json:"problems"`
	// Unread says what could not be read.
	Unread []string `json:"unread,omitempty"`
}

// shardStatus is who leads a shard of an installation.
type shardStatus struct {
	Install string `json:"install"`
	Shard   int    `json:"shard"`
	Of      int    `json:"of"`
	Lease   string `json:"lease"`
	// Leads reports whether Holder was seen to renew the lease.
	Leads     bool         `json:"leads"`
	Holder    string       `json:"holder"`
	RenewTime *time.Time   `json:"renewTime,omitempty"` // by the holder's clock
	Watched   float64      `json:"watchedSeconds"`
	Duration  float64      `json:"leaseDurationSeconds"`
	Scope     *lease.Scope `json:"scope,omitempty"`
}

func readInstallations(ctx context.Context, client *apiclient.Client, install string) (*installations, error) {
	seen, err := lease.Survey(ctx, client, client.Namespace, install)
	if err != nil {
		return nil, err
	}
	out := &installations{Namespace: client.Namespace, Shards: []shardStatus{}, Replicas: []replicaStatus{}, Agents: []agentStatus{}, Problems: []string{}}
	byInstall := map[string][]lease.Seen{}
	for _, s := range seen {
		byInstall[s.Install()] = append(byInstall[s.Install()], s)
	}
	for _, all := range byInstall {
		out.Shards = append(out.Shards, shardsOf(all)...)
	}
	out.Shards = sortedShards(out.Shards)
	now := time.Now()
	for _, s := range out.Shards {
		if !s.Leads {
			out.Problems = append(out.Problems, s.problem(now))
		}
	}
	if len(out.Shards) == 0 {
		name := cmp.Or(install, "any installation")
		out.Problems = append(out.Problems, fmt.Sprintf("nobody leads %s in the namespace %s: there is no Lease; either no process has led yet, or it runs elsewhere (`kubectl get leases -A`, and --namespace here), or with --leader-elect=false", name, client.Namespace))
	}
	out.readReplicas(ctx, client)
	out.readAgents(ctx, client)
	return out, nil
}

func sortedShards(all []shardStatus) []shardStatus {
	slices.SortFunc(all, func(a, b shardStatus) int {
		return cmp.Or(strings.Compare(a.Install, b.Install), a.Shard-b.Shard)
	})
	return all
}

// shardsOf returns the shards of one installation. How many there are, the leases say that are
// renewed, or else the one that was renewed last: those of another count are left over.
func shardsOf(all []lease.Seen) (out []shardStatus) {
	newest := slices.MaxFunc(all, func(a, b lease.Seen) int {
		return cmp.Or(compareBool(a.Renewed, b.Renewed), a.RenewTime.Compare(b.RenewTime))
	})
	_, of := shardOf(newest)
	there := map[int]bool{}
	for _, s := range all {
		index, its := shardOf(s)
		if its != of && !s.Renewed {
			continue
		}
		there[index] = true
		row := shardStatus{
			Install: s.Namespace + "/" + s.Install(), Shard: index, Of: its, Lease: s.Namespace + "/" + s.Name, Leads: s.Renewed, Holder: s.Holder,
			Watched: s.Watched.Seconds(), Duration: s.Duration.Seconds(),
		}
		if !s.RenewTime.IsZero() {
			at := s.RenewTime.UTC()
			row.RenewTime = &at
		}
		if s.ScopeKnown {
			row.Scope = &s.Scope
		}
		out = append(out, row)
	}
	for i := 0; of > 1 && i < of; i++ {
		if !there[i] {
			install := newest.Namespace + "/" + newest.Install()
			out = append(out, shardStatus{Install: install, Shard: i, Of: of, Lease: fmt.Sprintf("%s-%d", install, i)})
		}
	}
	return out
}

// shardOf returns the number of a lease's shard, and how many shards there are.
func shardOf(s lease.Seen) (index, of int) {
	first, rest, _ := strings.Cut(s.Scope.Shard, "/")
	count, _, _ := strings.Cut(rest, " ")
	index, errIndex := strconv.Atoi(first)
	of, errOf := strconv.Atoi(count)
	if errIndex != nil || errOf != nil {
		return 0, 1
	}
	return index, of
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// name is the shard as it is told of.
func (s shardStatus) name() string {
	if s.Of <= 1 {
		return s.Install
	}
	return fmt.Sprintf("shard %d of %d of %s", s.Shard, s.Of, s.Install)
}

// problem says why nobody leads.
func (s shardStatus) problem(now time.Time) string {
	switch {
	case s.Holder == "" && s.RenewTime == nil:
		return fmt.Sprintf("nobody leads %s: there is no Lease %s", s.name(), s.Lease)
	case s.Holder == "":
		return fmt.Sprintf("nobody leads %s: its Lease was given up, %s, and nobody has taken it; if the installation is gone for good, delete the Lease %s", s.name(), s.renewal(now), s.Lease)
	}
	return fmt.Sprintf("nobody leads %s: %s holds its Lease, and did not renew it while it was watched for %s; the last renewal was %s",
		s.name(), s.Holder, seconds(s.Watched), s.renewal(now))
}

// renewal tells when the lease was renewed last, by which clock.
func (s shardStatus) renewal(now time.Time) string {
	if s.RenewTime == nil {
		return "at an unknown time"
	}
	at := s.RenewTime.Format(time.RFC3339)
	age := now.Sub(*s.RenewTime).Round(time.Second)
	if age < 0 {
		return fmt.Sprintf("at %s by the holder's clock, which is ahead of this machine's by %s or more", at, -age)
	}
	return fmt.Sprintf("at %s by the holder's clock, %s ago by this machine's", at, age)
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Second)
}
