package manifest

import (
	"reflect"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// processTag marks a field by which an agent uses what belongs to the process: an
// environment variable or a file to send (secret), or a certificate to show
// (certificate). A manifest given by -f comes from whoever starts the process. An Agent of
// a cluster does not, and the process has secrets that its author has not: the token of
// its service account, to begin with.
const processTag = "process"

// processFixes say, by what the tag holds, what an Agent of a cluster has instead.
var processFixes = map[string]string{
	"secret":      "put the secret into a Secret of the agent's namespace, and write secretKeyRef: {name: NAME, key: KEY}",
	"certificate": "leave it out, and write bearerToken or basicAuth with a secretKeyRef",
}

// takesFromProcess are the fields of an agent that use what belongs to the process, as
// mistakes. They don't repeat what was written.
func (a *Agent) takesFromProcess() mistake.Mistakes {
	var out mistake.Mistakes
	walkFields(reflect.ValueOf(a), "", func(at string, f reflect.StructField, v reflect.Value) {
		if what := f.Tag.Get(processTag); what != "" && !v.IsZero() {
			out = append(out, mistake.Mistake{Path: at, Message: "is the process's own, which an Agent of a cluster may not use", Fix: processFixes[what]})
		}
	})
	return out
}

// InCluster are the fields of an agent that was read from a file which the same agent may
// not have as an object of a cluster, as mistakes at their places in the file.
func (a *Agent) InCluster() mistake.Mistakes {
	out := a.takesFromProcess()
	for i, m := range out {
		out[i] = a.Mistaken(m.Path, m.Message, m.Fix)
	}
	return out
}
