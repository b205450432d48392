package main

import (
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/lease"
	"github.com/scanflow-k8s/scanflow/engine/server"
)

// clusterStatus returns what the metrics show of a process on Kubernetes.
func clusterStatus(a *app.App, o *app.KubernetesOptions) server.ClusterStatus {
	out := server.ClusterStatus{
		Install: o.Client.Namespace + "/" + o.Install, Shard: o.Shard.Index, Shards: max(1, o.Shard.Of),
		Leading: a.Leading(), Requests: o.Client.Requests(),
	}
	if e, begun := a.Election(); begun {
		out.Lease = leaseStatus(e, time.Now())
	}
	return out
}

func leaseStatus(e lease.Election, now time.Time) *server.LeaseStatus {
	out := &server.LeaseStatus{RenewalAge: e.RenewalAge(now), Duration: e.Duration, Conflict: e.Conflict != nil, Failing: map[string]time.Duration{}}
	for _, reason := range apiclient.Reasons() {
		out.Failing[string(reason)] = 0
	}
	if f := e.Failure; f != nil {
		out.Failing[string(f.Reason)] = now.Sub(f.Since)
	}
	return out
}

// electionJSON is the response of /v1/election.
type electionJSON struct {
	Lease    string `json:"lease"` // NAMESPACE/NAME
	Identity string `json:"identity"`
	// Leading reports whether the agents run in this process.
	Leading bool `json:"leading"`
	// Holder is who holds the lease; "" for nobody.
	Holder      string       `json:"holder"`
	HolderSince *time.Time   `json:"holderSince,omitempty"`
	RenewalAge  float64      `json:"renewalAgeSeconds"`
	Duration    float64      `json:"leaseDurationSeconds"`
	Failing     *failureJSON `json:"failing,omitempty"`
	Conflict    string       `json:"conflict,omitempty"`
}

type failureJSON struct {
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
	Error  string    `json:"error"`
}

// electionOf returns the election as this process sees it.
func electionOf(a *app.App) (any, error) {
	e, begun := a.Election()
	if !begun {
		return nil, fmt.Errorf("%w: this process takes part in no election, or has not begun it", server.ErrNotFound)
	}
	now := time.Now()
	out := electionJSON{
		Lease: e.Namespace + "/" + e.Name, Identity: e.Identity, Leading: a.Leading(), Holder: e.Holder,
		RenewalAge: e.RenewalAge(now).Seconds(), Duration: e.Duration.Seconds(),
	}
	if e.Holder != "" {
		since := e.HolderSince.UTC()
		out.HolderSince = &since
	}
	if f := e.Failure; f != nil {
		out.Failing = &failureJSON{Since: f.Since.UTC(), Reason: string(f.Reason), Error: f.Err.Error()}
	}
	if e.Conflict != nil {
		out.Conflict = e.Conflict.Error()
	}
	return out, nil
}
