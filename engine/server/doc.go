// Package server is what a running Scanflow shows over HTTP: health, metrics, and
// to those who may see it, its agents, policies and decisions. It never decides
// and never acts. Start reading at server.go.
package server
