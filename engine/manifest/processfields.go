package manifest

import (
	"reflect"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// processTag marks a field that refers to the environment or the files of the process, for a
// value to send (secret) or a client certificate (certificate). A manifest given by -f comes
// from the person who starts the process. The author of an Agent in a cluster may have fewer rights
// than the process, which has the token of its service account, for example.
const processTag = "process"

// processFixes says, for each value of the tag, what an Agent in a cluster uses instead.
var processFixes = map[string]string{
	"secret":      "put the secret into a Secret of the agent's namespace, and write secretKeyRef: {name: NAME, key: KEY}",
	"certificate": "leave it out, and write bearerToken or basicAuth with a secretKeyRef",
}

// processFields returns a mistake for each field that refers to the process. No message
// prints a value.
func (a *Agent) processFields() mistake.Mistakes {
	var out mistake.Mistakes
	walkFields(reflect.ValueOf(a), "", func(at string, f reflect.StructField, v reflect.Value) {
		if what := f.Tag.Get(processTag); what != "" && !v.IsZero() {
			out = append(out, mistake.Mistake{Path: at, Message: "is the process's own, which an Agent of a cluster may not use", Fix: processFixes[what]})
		}
	})
	return out
}

// MistakesInCluster returns the mistakes that an agent which was read from a file would have
// as a custom resource, with their lines in the file.
func (a *Agent) MistakesInCluster() mistake.Mistakes {
	out := a.processFields()
	for i, m := range out {
		out[i] = a.MistakeAt(m.Path, m.Message, m.Fix)
	}
	return out
}
