package main

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/engine/server"
)

// metricSources returns the functions that a scrape reads the metrics of the process from.
func metricSources(a *app.App, inCluster *app.KubernetesOptions, log hclog.Logger) server.Sources {
	sources := server.Sources{
		Version: version(),
		Agents:  a.Agents,
		Policy:  func() server.PolicyStatus { return policyStatus(a) },
		Journal: func() server.JournalStatus { return journalStatus(a) },
		Waiting: func() (server.WaitingStatus, bool) { return waitingStatus(a, log) },
	}
	if inCluster != nil { // on a cluster, the status of each Agent has its reloads
		sources.Cluster = func() server.ClusterStatus { return clusterStatus(a, inCluster) }
		return sources
	}
	sources.Manifests = func() server.ReloadStatus {
		r := a.ReloadStatus()
		return server.ReloadStatus{LastError: errorText(r.Err), Successes: r.Successes, Failures: r.Failures}
	}
	return sources
}

func policyStatus(a *app.App) server.PolicyStatus {
	s := a.Policies.Status()
	out := server.PolicyStatus{
		Revision: s.Revision, LoadedAt: s.Loaded, LastAttempt: s.LastAttempt, LastError: errorText(s.Err), Successes: s.Successes, Failures: s.Failures,
		Guards: []server.BoundGuard{},
	}
	if !s.AttemptStarted.IsZero() {
		out.Trying = &s.AttemptStarted
	}
	for _, g := range a.Policies.Live().GuardInfos() {
		out.Guards = append(out.Guards, server.BoundGuard{Name: g.Name, From: g.From, Verbs: g.Verbs, Agents: g.Agents})
	}
	for _, q := range a.Quarantine() {
		out.Quarantine = append(out.Quarantine, server.Quarantined{Kind: q.Kind, Name: q.Name, At: q.At, Target: q.Target, Place: q.Place, Why: q.Why})
	}
	return out
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func journalStatus(a *app.App) server.JournalStatus {
	return server.JournalStatus{Bytes: a.Journal.Size(), Error: errorText(a.Journal.Health())}
}

// scrapeTimeout bounds the queries of a scrape to the journal.
const scrapeTimeout = 2 * time.Second

// waitingStatus counts queued events and open approvals; false if this process does not have them.
func waitingStatus(a *app.App, log hclog.Logger) (server.WaitingStatus, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	boxes, approvals, err := a.Waiting(ctx)
	if err != nil && !errors.Is(err, app.ErrStandsBy) {
		log.Debug("what waits can't be counted for the metrics", "error", err)
	}
	return server.WaitingStatus{Boxes: boxes, Approvals: approvals}, err == nil
}

// notReady returns the reasons why the process is not ready; empty if it is ready.
func notReady(a *app.App) []string {
	var why []string
	if err := a.Journal.Health(); err != nil {
		why = append(why, err.Error()+" (nothing is done until then)")
	}
	why = append(why, a.Unready()...)
	for _, q := range a.Quarantine() {
		why = append(why, q.Member.String()+" "+q.Error())
	}
	for _, s := range a.Agents() {
		if s.Interval > 0 && s.LastFiring.IsZero() {
			why = append(why, "agent "+s.Agent+" has not fired yet")
		}
	}
	return why
}
