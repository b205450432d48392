package engine

// Forker is a sensor whose samples depend on earlier ones: it keeps counters for a rate, or
// totals that it continues from. A preview samples a fork, so that the samples of the agent's
// own turns stay as they would be without it.
type Forker interface {
	Sensor
	// Fork returns a sensor that continues from a copy of what this one remembers. No sample
	// of this one is in progress.
	Fork() Sensor
}

// ForkSensor returns a sensor that can be sampled without an effect on a sensor: its fork, or
// itself where it remembers nothing.
func ForkSensor(s Sensor) Sensor {
	if f, forks := s.(Forker); forks {
		return f.Fork()
	}
	return s
}
