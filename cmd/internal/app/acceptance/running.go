package acceptance

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// running is the accepted spec of an agent, with the informers that it uses.
type running struct {
	agent   *manifest.Agent
	spec    engine.Spec
	written map[string]any // the spec as it was written
	uid     types.UID
}

// follow starts the informers of the agent's targets. It is called before an earlier spec
// is released, so that informers which both use keep running.
func (r *running) follow() {
	if f, ok := r.spec.Fleet.(*clusterview.Fleet); ok {
		f.Follow()
	}
}

// release gives back the informers of the agent's fleet and sensors.
func (r *running) release() {
	users := []any{r.spec.Fleet}
	for _, s := range r.spec.Sensors {
		users = append(users, s.Sensor)
	}
	for _, u := range users {
		if u, ok := u.(interface{ Release() }); ok {
			u.Release()
		}
	}
}
