package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// ReadObject reads an Agent from the JSON of a custom resource, by the rules of files. In
// addition, it rejects references to the environment and the files of the process, which the
// author of an Agent must not use. It ignores the status, and all metadata but the
// name, the namespace and the labels: other clients write there, and that does not change
// the agent.
//
// name becomes the agent's File. The mistakes have no file and no line.
func ReadObject(name string, object []byte, kinds Kinds) (*Agent, mistake.Mistakes) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber() // a whole number too large for a float is rejected, not rounded
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
		mistakes = append(mistakes, agent.processFields()...)
	}
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	agent.File = name
	return agent, nil
}
