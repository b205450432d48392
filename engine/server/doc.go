// Package server serves the HTTP API of a running Scanflow: health, metrics, and for
// authorized clients its agents, policies and decisions. It also receives events and alerts. It
// never decides and never acts: it authenticates and decodes requests and passes them to
// functions in Options. It imports the contracts in engine and the formats of events, and no
// adapter.
//
// Start reading at server.go, then authenticator.go and senders.go (who may do what), and
// events.go (receiving events).
package server
