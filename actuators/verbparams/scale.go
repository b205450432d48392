package verbparams

// Scale are the parameters of `scale`.
type Scale struct {
	Replicas int `json:"replicas" required:"true" doc:"how many replicas there shall be"`
}

// Check returns the mistakes in the values.
func (w Scale) Check() []string {
	if w.Replicas < 0 {
		return []string{"replicas: must not be negative"}
	}
	return nil
}
