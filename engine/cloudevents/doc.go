// Package cloudevents brings events in and out over HTTP: the HTTP protocol binding
// and the JSON event format of CloudEvents 1.0 (cloudevents/spec, http-protocol-binding
// and json-format, v1.0.2).
//
// It reads all three content modes, strictly, and says every mistake; it writes the
// structured mode to anybody, and the batched mode to another Scanflow. It keeps
// nothing, tries nothing twice, and decides nothing about an event: who may send what
// is not its business. It never follows a redirect, and never puts a secret or an
// address' query into an error.
//
// Start reading at Read and at Client.Send.
package cloudevents
