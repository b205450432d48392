package orchestrator

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kyaml "sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/engine/plainfile"
)

// ReadBytes reads the workloads of a text; name stands for the file in errors.
func ReadBytes(name string, raw []byte) (Workloads, error) {
	w := Workloads{where: map[ObjectID]*source{}, unread: map[ObjectID]bool{}}
	var found Problems
	w.readFile(name, raw, &found)
	return w.checked(found)
}

// maxFileSize bounds a file of workloads, in bytes.
const maxFileSize = 16 << 20

// Read reads the workloads of files and folders (their *.yaml and *.yml, not those
// of sub-folders). The error is Problems: every mistake of every file.
func Read(paths ...string) (Workloads, error) {
	w := Workloads{where: map[ObjectID]*source{}, unread: map[ObjectID]bool{}}
	var found Problems
	for _, file := range expand(paths, &found) {
		raw, err := plainfile.Read(file, maxFileSize)
		if err != nil {
			found = append(found, Problem{File: file, Message: "can't be read: " + err.Error()})
			continue
		}
		w.readFile(file, raw, &found)
	}
	return w.checked(found)
}

// checked adds what only shows once everything is read.
func (w Workloads) checked(found Problems) (Workloads, error) {
	found = append(found, w.check()...)
	slices.SortStableFunc(found, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	if err := found.err(); err != nil {
		return Workloads{}, err
	}
	return w, nil
}

// expand lists the files of the paths.
func expand(paths []string, found *Problems) []string {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			*found = append(*found, Problem{File: path, Message: "can't be read: " + err.Error()})
			continue
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			*found = append(*found, Problem{File: path, Message: "can't be listed: " + err.Error()})
		}
		for _, e := range entries {
			if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
				files = append(files, filepath.Join(path, e.Name()))
			}
		}
	}
	return files
}

func (w *Workloads) readFile(file string, raw []byte, found *Problems) {
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil { // the parser can't go on after a syntax error
			*found = append(*found, Problem{File: file, Message: err.Error()})
			return
		}
		if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
			continue
		}
		w.readDocument(file, doc.Content[0], found)
	}
}

func (w *Workloads) readDocument(file string, n *yaml.Node, found *Problems) {
	src := &source{file: file, line: n.Line, lines: map[string]int{}}
	if n.Kind != yaml.MappingNode {
		*found = append(*found, Problem{File: file, Line: n.Line, Message: "is not a Kubernetes object: it has no fields"})
		return
	}
	apiVersion, kind := text(n, "apiVersion"), text(n, "kind")
	object := newObject(apiVersion, kind)
	if object == nil {
		*found = append(*found, Problem{File: file, Line: n.Line, Message: fmt.Sprintf(
			"apiVersion %q kind %q is not run by the local orchestrator; it takes %s", apiVersion, kind, taken)})
		return
	}
	var mine Problems
	walk := walker{src: src, found: &mine, kind: kind}
	walk.walk(n, reflect.TypeOf(object), allowedFields(kind), "")
	raw, err := yaml.Marshal(n)
	if err == nil {
		err = kyaml.UnmarshalStrict(raw, object)
	}
	if err != nil && len(mine) > 0 {
		// The walk has named what is wrong; what can be read shows further mistakes.
		err = kyaml.Unmarshal(raw, object)
	} else if err != nil {
		mine = append(mine, Problem{File: file, Line: n.Line, Message: err.Error()})
	}
	src.refused = make([]string, len(mine))
	for i, p := range mine {
		src.refused[i] = p.Path
	}
	id, already := ObjectID{kind, named(text(n, "metadata", "namespace"), text(n, "metadata", "name"))}, false
	if id.Namespace == "" {
		id.Namespace = corev1.NamespaceDefault
	}
	if err == nil {
		id, already = w.add(kind, object, src)
	} else {
		w.unread[id] = true
	}
	for i := range mine {
		mine[i].Object = id.String()
	}
	if already {
		mine = append(mine, Problem{File: file, Line: src.at("metadata.name"), Object: id.String(), Message: fmt.Sprintf(
			"is declared twice, first in %s:%d; keep one", w.where[id].file, w.where[id].line)})
	}
	*found = append(*found, mine...)
}

// taken are the kinds that are read.
const taken = "apps/v1 Deployment, v1 Service, gateway.networking.k8s.io/v1 HTTPRoute, argoproj.io/v1alpha1 WorkflowTemplate, batch/v1 CronJob"

// newObject is an empty object of a kind; nil for one that isn't read.
func newObject(apiVersion, kind string) any {
	switch apiVersion + " " + kind {
	case "apps/v1 Deployment":
		return &appsv1.Deployment{}
	case "v1 Service":
		return &corev1.Service{}
	case "gateway.networking.k8s.io/v1 HTTPRoute":
		return &HTTPRoute{}
	case "argoproj.io/v1alpha1 WorkflowTemplate":
		return &workflow.Template{}
	case "batch/v1 CronJob":
		return &batchv1.CronJob{}
	}
	return nil
}

// text is a scalar down a path of mappings; "" if there is none.
func text(n *yaml.Node, path ...string) string {
	for _, name := range path {
		var next *yaml.Node
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				next = n.Content[i+1]
			}
		}
		if next == nil {
			return ""
		}
		n = next
	}
	if n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// add files an object; already says that there is one of its name.
func (w *Workloads) add(kind string, object any, src *source) (id ObjectID, already bool) {
	var meta *metav1.ObjectMeta
	switch o := object.(type) {
	case *appsv1.Deployment:
		meta = &o.ObjectMeta
	case *corev1.Service:
		meta = &o.ObjectMeta
	case *HTTPRoute:
		meta = &o.ObjectMeta
	case *workflow.Template:
		meta = &o.ObjectMeta
	case *batchv1.CronJob:
		meta = &o.ObjectMeta
	}
	meta.Namespace = keyOf(meta).Namespace
	id = ObjectID{kind, keyOf(meta)}
	if _, already = w.where[id]; already {
		return id, true
	}
	w.where[id] = src
	switch o := object.(type) {
	case *appsv1.Deployment:
		w.Deployments = append(w.Deployments, *o)
	case *corev1.Service:
		w.Services = append(w.Services, *o)
	case *HTTPRoute:
		w.Routes = append(w.Routes, *o)
	case *workflow.Template:
		w.Workflows = append(w.Workflows, *o)
	case *batchv1.CronJob:
		w.CronJobs = append(w.CronJobs, *o)
	}
	return id, false
}
