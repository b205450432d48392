// Package app makes one scanflow process of its parts: New, Start, Reload, Stop. It
// decides nothing: each decision is in a package below it, and app passes to each part,
// when it makes it, the parts that this one needs. The daemon and the demos start here.
// Start reading at app.go.
//
// New makes what needs neither the data folder nor a server, in this order:
//
//	leadership.State            who leads; empty until a manager runs agents
//	recovery, reload.LastGood   what the last process left behind
//	on Kubernetes               credentials.SecretReader, view, agentcr.Source (writes fenced by the State), status.Reporter
//	credentials.Store           with the SecretReader
//	delivery.Courier            with the Store; peers.Claims
//	policy.Store                validates against the running agents, signals each swap
//	on Kubernetes               credentials.HostChecker, acceptance.Controller (with the policy.Store and the Reporter)
//
// Start opens and runs, in this order:
//
//	without Kubernetes                          on Kubernetes
//	read manifests, workloads, policies         read policies
//	installation, peers polled, journal, how the last process ended
//	local orchestrator                          events recorder
//	manager with the agents (State.Lead)        leadership.Leader
//	reload.Reloader                             agents followed
//	in the background: policies and files       in the background: policies, acceptance, secret hosts;
//	                                            in each term: ledger, manager (State.Lead)
//
// Each of them that has to be closed pushes a closer on a stack. Stop calls them in
// reverse order, each with a deadline; so does a New or a Start that fails:
//
//	the manager starts no more agents, the background ends (with it the term)
//	manager: acts finish or are handed over     agents and events: what is left is written
//	local orchestrator
//	the clean end is recorded, the journal closes
//	peers are polled no more, the courier's connections close, the view ends
//
// Two cycles remain. Each goes through a value that is made before both sides: the
// manager needs verbs, and verbs publish through the manager (eventBus); the writer of
// statuses asks who leads, and the leader waits for the agents to be judged
// (leadership.State).
package app
