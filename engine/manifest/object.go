package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// ReadObject reads an Agent from the JSON of a custom resource, by the rules of
// files, and one more: it takes no secret from the process, whose environment and files
// are not the affair of whoever may create Agents. Status is left out, and of the metadata all but name, namespace and labels:
// the API server and its clients keep books there, which are no change of the agent.
//
// name stands for the object where an agent has a file. The mistakes have no file
// and no line, since nobody wrote any: each is "spec.triggers[0].every: ...; fix".
func ReadObject(name string, object []byte, kinds Kinds) (*Agent, mistake.Mistakes) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber() // a whole number too large for a float is told, not rounded
	var whole map[string]any
	if err := decoder.Decode(&whole); err != nil {
		return nil, mistake.Mistakes{{Message: fmt.Sprintf("the object is not JSON: %v", err)}}
	}
	delete(whole, "status")
	if metadata, ok := whole["metadata"].(map[string]any); ok {
		kept := map[string]any{}
		for _, field := range []string{"name", "namespace", "labels"} {
			if value, there := metadata[field]; there {
				kept[field] = value
			}
		}
		whole["metadata"] = kept
	}
	agent, mistakes := readOne("", nodeBuilder{origin: map[*yaml.Node]any{}}.node(whole, 0), kinds)
	if agent != nil {
		mistakes = append(mistakes, agent.takesFromProcess()...)
	}
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	agent.File = name
	return agent, nil
}
