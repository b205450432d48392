package engine

import "time"

// Event is a CloudEvent (CloudEvents 1.0 attribute names) on its way to an agent.
type Event struct {
	ID      string    `json:"id"`
	Source  string    `json:"source"`
	Type    string    `json:"type"`
	Subject string    `json:"subject,omitempty"`
	Time    time.Time `json:"time"`
	Data    any       `json:"data,omitempty"`
}
