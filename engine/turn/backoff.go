package turn

import (
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
	"github.com/scanflow-k8s/scanflow/engine/memory"
)

// backOff refuses an act where alike acts on the target failed a moment ago. One that an event
// asks for is not proposed at each firing.
func (ad *admission) backOff(c *candidate) {
	if c.on.doc.Trigger.HandlesEvent() {
		return
	}
	f := ad.memory(c).FailuresOf(c.Primitive, c.direction(), c.With)
	if !ad.now.Before(f.Until) || mayComeUp(c, &f) {
		return
	}
	c.passes = f.Until
	what, times := c.Primitive, fmt.Sprintf("%d times in a row", f.Count)
	if d := c.direction(); d != "" {
		what += " " + string(d)
	}
	if f.Count == 1 {
		times = "once"
	}
	detail := fmt.Sprintf("%s failed %s, and is tried again from %s on", what, times, f.Until.UTC().Format(time.RFC3339))
	if f.Last != "" {
		detail += "; the last: " + f.Last
	}
	c.refuse(byBackoff, "%s", detail)
}

// mayComeUp reports whether more replicas may be asked for although asking for more failed:
// fewer than failed to come up, or all that the last act asked for are ready now.
func mayComeUp(c *candidate, f *memory.Failures) bool {
	if c.direction() != engine.Up || f.Least == nil {
		return false
	}
	asked, has := jsonvalue.Float(c.With["replicas"])
	return has && asked < *f.Least || c.Target.Replicas != nil && f.CameUp(c.Target.Replicas.Ready)
}
