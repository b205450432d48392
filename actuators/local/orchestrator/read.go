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

	"go.yaml.in/yaml/v3"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kyaml "sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/plainfile"
)

// ReadBytes reads workloads; name stands for the file in errors.
func ReadBytes(name string, raw []byte) (Workloads, error) {
	w := Workloads{where: map[ObjectID]*source{}, unread: map[ObjectID]bool{}}
	var found mistake.Mistakes
	w.readFile(name, raw, &found)
	return w.checked(found)
}

// maxFileSize is the largest file that is read, in bytes.
const maxFileSize = 16 << 20

// Read reads the workloads of files, and of the *.yaml and *.yml files of folders without
// their sub-folders. The error is mistake.Mistakes, with every mistake of every file.
func Read(paths ...string) (Workloads, error) {
	w := Workloads{where: map[ObjectID]*source{}, unread: map[ObjectID]bool{}}
	var found mistake.Mistakes
	for _, file := range expand(paths, &found) {
		raw, err := plainfile.Read(file, maxFileSize)
		if err != nil {
			found = append(found, mistake.Mistake{File: file, Message: "can't be read: " + err.Error()})
			continue
		}
		w.readFile(file, raw, &found)
	}
	return w.checked(found)
}

// checked adds the mistakes in values and between objects.
func (w Workloads) checked(found mistake.Mistakes) (Workloads, error) {
	found = append(found, w.check()...)
	if err := found.Sorted().Err(); err != nil {
		return Workloads{}, err
	}
	return w, nil
}

// expand replaces each folder by its files.
func expand(paths []string, found *mistake.Mistakes) []string {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			*found = append(*found, mistake.Mistake{File: path, Message: "can't be read: " + err.Error()})
			continue
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			*found = append(*found, mistake.Mistake{File: path, Message: "can't be listed: " + err.Error()})
		}
		for _, e := range entries {
			if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
				files = append(files, filepath.Join(path, e.Name()))
			}
		}
	}
	return files
}

func (w *Workloads) readFile(file string, raw []byte, found *mistake.Mistakes) {
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil { // the parser can't go on after a syntax error
			*found = append(*found, mistake.Mistake{File: file, Message: err.Error()})
			return
		}
		if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
			continue
		}
		w.readDocument(file, doc.Content[0], found)
	}
}

func (w *Workloads) readDocument(file string, n *yaml.Node, found *mistake.Mistakes) {
	src := &source{file: file, line: n.Line, lines: map[string]int{}}
	if n.Kind != yaml.MappingNode {
		*found = append(*found, mistake.Mistake{File: file, Line: n.Line, Message: "is not a Kubernetes object: it has no fields"})
		return
	}
	apiVersion, kind := text(n, "apiVersion"), text(n, "kind")
	empty := newObject[apiVersion+" "+kind]
	if empty == nil {
		*found = append(*found, mistake.Mistake{File: file, Line: n.Line, Message: fmt.Sprintf(
			"apiVersion %q kind %q is not run by the local orchestrator; it takes %s", apiVersion, kind, taken)})
		return
	}
	object := empty()
	var mine mistake.Mistakes
	walk := walker{src: src, found: &mine, kind: kind}
	walk.walk(n, reflect.TypeOf(object), allowedFields(kind), "")
	raw, err := yaml.Marshal(n)
	if err == nil {
		err = kyaml.UnmarshalStrict(raw, object)
	}
	if err != nil && len(mine) > 0 {
		// The walk has found the mistake; check may find others in the fields that can be read.
		err = kyaml.Unmarshal(raw, object)
	} else if err != nil {
		mine = append(mine, mistake.Mistake{File: file, Line: n.Line, Message: err.Error()})
	}
	src.refused = make([]string, len(mine))
	for i, p := range mine {
		src.refused[i] = p.Path
	}
	id, already := ObjectID{kind, named(cmp.Or(text(n, "metadata", "namespace"), corev1.NamespaceDefault), text(n, "metadata", "name"))}, false
	if err == nil {
		id, already = w.add(kind, object, src)
	} else {
		w.unread[id] = true
	}
	for i := range mine {
		mine[i].Object = id.String()
	}
	if already {
		mine = append(mine, mistake.Mistake{File: file, Line: src.at("metadata.name"), Object: id.String(), Message: fmt.Sprintf(
			"is declared twice, first in %s:%d; keep one", w.where[id].file, w.where[id].line)})
	}
	*found = append(*found, mine...)
}

// taken lists the kinds in newObject.
const taken = "apps/v1 Deployment, v1 Service, gateway.networking.k8s.io/v1 HTTPRoute, argoproj.io/v1alpha1 WorkflowTemplate, batch/v1 CronJob"

// newObject makes an empty object of each kind that is read, by API version and kind.
var newObject = map[string]func() metav1.Object{
	"apps/v1 Deployment":                     func() metav1.Object { return &appsv1.Deployment{} },
	"v1 Service":                             func() metav1.Object { return &corev1.Service{} },
	"gateway.networking.k8s.io/v1 HTTPRoute": func() metav1.Object { return &HTTPRoute{} },
	"argoproj.io/v1alpha1 WorkflowTemplate":  func() metav1.Object { return &workflow.Template{} },
	"batch/v1 CronJob":                       func() metav1.Object { return &batchv1.CronJob{} },
}

// text returns the scalar at a path of mappings, "" if there is none.
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

// add adds an object, and reports whether there was one of that name already.
func (w *Workloads) add(kind string, object metav1.Object, src *source) (id ObjectID, already bool) {
	object.SetNamespace(keyOf(object).Namespace)
	id = ObjectID{kind, keyOf(object)}
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
