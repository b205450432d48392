// Package kubernetes has the verbs that act on a Kubernetes cluster. Each verb is an
// engine.Actuator with a file, or a few files, of its own, and states in needs.go which
// RBAC rules it requires.
//
// The verbs read targets from a clusterview.View, or with one request from the API
// server, and write by server-side apply. A write names the object's resourceVersion, so
// it fails where the object changed after it was planned. No verb deletes an object, and
// none takes over a field that someone else wrote after Scanflow did (owner.go).
//
// Start reading at cluster.go and write.go, then at scale.go, the simplest verb.
package kubernetes
