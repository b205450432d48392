package main

import (
	"encoding/json"
	"io"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/Astera-org/mlflow-go/protos"
)

// call is one of MLflow's.
type call struct {
	Methods  []string `json:"methods"`
	Path     string   `json:"path"`
	Fields   []field  `json:"fields"`
	message  protoreflect.MessageDescriptor
	response protoreflect.MessageDescriptor
}

type field struct {
	Name     string `json:"name"`
	Required bool   `json:"required"`
}

// calls are those of MLflow's services, by what their files say of paths.
func calls() []call {
	var out []call
	for _, file := range []protoreflect.FileDescriptor{protos.File_service_proto, protos.File_model_registry_proto} {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				out = append(out, callsOf(methods.Get(j))...)
			}
		}
	}
	return out
}

func callsOf(m protoreflect.MethodDescriptor) []call {
	options := proto.GetExtension(m.Options(), protos.E_Rpc).(*protos.DatabricksRpcOptions)
	var out []call
	for _, e := range options.GetEndpoints() {
		path := strings.TrimPrefix(e.GetPath(), "/mlflow")
		if n := len(out); n > 0 && out[n-1].Path == path {
			out[n-1].Methods = append(out[n-1].Methods, e.GetMethod())
			continue
		}
		c := call{Methods: []string{e.GetMethod()}, Path: path, message: m.Input(), response: m.Output()}
		for i := range m.Input().Fields().Len() {
			f := m.Input().Fields().Get(i)
			required, _ := proto.GetExtension(f.Options(), protos.E_ValidateRequired).(bool)
			c.Fields = append(c.Fields, field{string(f.Name()), required})
		}
		out = append(out, c)
	}
	return out
}

func printAPI(out io.Writer) error { return json.NewEncoder(out).Encode(calls()) }
