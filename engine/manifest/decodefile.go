package manifest

import (
	"bytes"
	"errors"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// DecodeFile decodes a file with one YAML document, such as a list of senders, by the rules
// of Decode. The error is mistake.Mistakes.
func DecodeFile(file string, into any) error {
	data, unread := readFile(file, MaxFileSize)
	if unread != nil {
		return mistake.Mistakes{*unread}
	}
	if wrong := textMistakes(file, data); wrong != nil {
		return wrong
	}
	reader := yaml.NewDecoder(bytes.NewReader(data))
	var document, another yaml.Node
	err := reader.Decode(&document)
	if err == nil {
		if err = reader.Decode(&another); err == nil {
			return mistake.Mistakes{{File: file, Line: another.Line, Column: another.Column, Message: "a second document begins here", Fix: "write one"}}
		}
	} else if errors.Is(err, io.EOF) {
		return mistake.Mistakes{{File: file, Message: "is empty"}}
	}
	if !errors.Is(err, io.EOF) {
		return mistake.Mistakes{syntaxMistake(file, data, err)}
	}
	return Decode(file, &document, "", into).Err()
}
