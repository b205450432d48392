// Package events writes Kubernetes Events about what the engine did to its targets, so
// that `kubectl describe` shows it.
//
// It only observes the engine: it changes no object, and an event that can't be written
// is dropped. Start reading at recorder.go.
package events
