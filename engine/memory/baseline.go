package memory

import (
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Baseline is the point that sensors count from: what each had sampled when a proposal set
// the mark.
type Baseline struct {
	At     time.Time
	Totals map[string]float64 // by sensor
}

// Note returns the note that records a baseline.
func (b Baseline) Note(target engine.TargetID, name string) engine.Note {
	totals := make(map[string]any, len(b.Totals))
	for sensor, v := range b.Totals {
		totals[sensor] = v
	}
	return engine.Note{Target: target, Baseline: name, Value: map[string]any{"at": b.At.UTC().Format(time.RFC3339Nano), "totals": totals}}
}

// readBaseline reads the value of a Note.
func readBaseline(value any) Baseline {
	written, _ := value.(map[string]any)
	at, _ := written["at"].(string)
	set := Baseline{Totals: map[string]float64{}}
	set.At, _ = time.Parse(time.RFC3339Nano, at)
	totals, _ := written["totals"].(map[string]any)
	for sensor, v := range totals {
		set.Totals[sensor], _ = v.(float64)
	}
	return set
}
