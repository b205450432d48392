// Package queue moves events: Router puts them into the inboxes of the agents that have a
// trigger for them and into the outbox, and Outbox delivers what the outbox has. The store
// is an engine.Queue; what sends requests is an engine.Deliverer. An event that was accepted
// is handled, delivered, or becomes a dead letter.
//
// Start reading at router.go.
package queue
