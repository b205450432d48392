// Package cloudevents receives and sends events over HTTP: the HTTP protocol binding
// and the JSON event format of CloudEvents 1.0 (cloudevents/spec, http-protocol-binding
// and json-format, v1.0.2).
//
// It reads all three content modes, strictly, and reports every mistake. It writes the
// structured mode to any endpoint, and the batched mode to another Scanflow. It stores
// nothing, retries nothing, and doesn't check who may send an event. It never follows a
// redirect, and never puts a secret or an address' query into an error.
//
// Start reading at Read and at Client.Send.
package cloudevents
