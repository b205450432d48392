package engine

// Status is the state of an act.
type Status string

const (
	Running Status = "running" // in progress; Verify is called until it ends or its deadline passes
	Done    Status = "done"
	Failed  Status = "failed"
	NoOp    Status = "noop"
	// Abandoned is the status of an intent that a crash left open and whose change is not
	// in place: the loop decides again.
	Abandoned Status = "abandoned"
)

// Outcome is the result of an act.
type Outcome struct {
	Status Status `json:"status"`
	// Detail is for a person, and holds no secret.
	Detail string `json:"detail,omitempty"`
	// Applied reports whether the change was written, even if the act failed later. The
	// engine sets it.
	Applied bool `json:"applied,omitempty"`
	// Obstacle says what keeps a running act from its end, in the words of the object that
	// reports it: a quota, an image that can't be pulled. "" where nothing does.
	Obstacle string `json:"obstacle,omitempty"`
	// MissingRight is the right that the act lacked, nil where it lacked none.
	MissingRight RightError `json:"-"`
}
