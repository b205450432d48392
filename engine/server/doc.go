// Package server is a running Scanflow over HTTP: health, metrics, and to those who
// may see it, its agents, policies and decisions; and the way in for events and
// alerts, from those who may send them. It never decides and never acts: what comes
// in is read, its sender found out, and handed on.
//
// Start reading at server.go, then events.go (how an event comes in) and sender.go
// (from whom).
package server
