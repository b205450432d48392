package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/plainfile"
)

// MaxFileSize is the most that a manifest file may hold, in bytes.
const MaxFileSize = 1 << 20

// Read reads the Agent manifests in files and in folders (their *.yaml and *.yml, not those
// of sub-folders). The error is mistake.Mistakes, of all files. Read also returns the agents
// that have no mistake. Two agents with the same namespace and name are both left out.
func Read(paths []string, kinds Kinds) ([]*Agent, error) {
	var mistakes mistake.Mistakes
	if slices.Contains(paths, Stdin) {
		paths = slices.DeleteFunc(slices.Clone(paths), func(path string) bool { return path == Stdin })
		mistakes = append(mistakes, mistake.Mistake{Message: "standard input (-) is not read here, because these files are read again when they change",
			Fix: "write the agents to a file; one with the name - is ./-"})
	}
	var agents []*Agent
	files, missing := manifestFiles(paths, ".yaml", ".yml")
	if len(mistakes) == 0 || len(paths) > 0 {
		mistakes = append(mistakes, missing...)
	}
	for _, file := range files {
		data, wrong := readFile(file, MaxFileSize)
		if wrong != nil {
			mistakes = append(mistakes, *wrong)
			continue
		}
		found, mistaken := readAll(file, data, kinds)
		agents = append(agents, found...)
		mistakes = append(mistakes, mistaken...)
	}
	return rejectDuplicates(agents, mistakes)
}

// ReadBytes reads the manifests in data. Messages show name as the file.
func ReadBytes(name string, data []byte, kinds Kinds) ([]*Agent, error) {
	agents, mistakes := readAll(name, data, kinds)
	return rejectDuplicates(agents, mistakes)
}

// manifestFiles resolves paths to files, without duplicates. Of a folder it takes the files
// with one of the extensions.
func manifestFiles(paths []string, extensions ...string) ([]string, mistake.Mistakes) {
	var files []string
	var mistakes mistake.Mistakes
	if len(paths) == 0 {
		mistakes = append(mistakes, mistake.Mistake{Message: "no manifest given", Fix: "name a file or a folder of Agent manifests"})
	}
	for _, path := range paths {
		path = filepath.Clean(path)
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			mistakes = append(mistakes, mistake.Mistake{File: path, Message: "there is no such file or folder", Fix: "name a file or a folder of Agent manifests"})
		case err != nil:
			mistakes = append(mistakes, mistake.Mistake{File: path, Message: "can't be read: " + cause(err)})
		case !info.IsDir():
			files = append(files, path)
		default:
			found, err := folder(path, extensions)
			if err != nil {
				mistakes = append(mistakes, mistake.Mistake{File: path, Message: "can't be read: " + cause(err)})
			} else if len(found) == 0 {
				mistakes = append(mistakes, mistake.Mistake{File: path, Message: "the folder has no " + extensionList(extensions) + " file", Fix: "put Agent manifests in it, or name another"})
			}
			files = append(files, found...)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), mistakes
}

// extensionList is "*.yaml or *.yml".
func extensionList(extensions []string) string {
	last := len(extensions) - 1
	return "*" + strings.Join(extensions[:last], ", *") + " or *" + extensions[last]
}

func folder(path string, extensions []string) ([]string, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		file := filepath.Join(path, entry.Name())
		if !slices.Contains(extensions, filepath.Ext(file)) || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		// The files of a ConfigMap volume are symbolic links.
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			continue
		}
		files = append(files, file)
	}
	return files, nil
}

func readFile(path string, maxBytes int64) ([]byte, *mistake.Mistake) {
	data, err := plainfile.Read(path, maxBytes)
	switch {
	case errors.Is(err, plainfile.ErrNotPlain):
		return nil, &mistake.Mistake{File: path, Message: cause(err)}
	case errors.Is(err, plainfile.ErrTooLarge):
		return nil, &mistake.Mistake{File: path, Message: cause(err), Fix: "split it"}
	case err != nil:
		return nil, &mistake.Mistake{File: path, Message: "can't be read: " + cause(err)}
	}
	return data, nil
}

// cause drops the path from an error, because a mistake has the file.
func cause(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// readAll reads each document of a file.
func readAll(file string, data []byte, kinds Kinds) ([]*Agent, mistake.Mistakes) {
	if len(data) > MaxFileSize {
		return nil, mistake.Mistakes{{File: file, Message: fmt.Sprintf("is larger than %d bytes", MaxFileSize), Fix: "split it"}}
	}
	var agents []*Agent
	var mistakes mistake.Mistakes
	documents := 0
	unread := eachDocument(file, data, func(node *yaml.Node) bool {
		documents++
		agent, wrong := readOne(file, node, kinds)
		if agent != nil && len(wrong) == 0 {
			agents = append(agents, agent)
		}
		mistakes = append(mistakes, wrong...)
		return len(mistakes) <= maxMistakes
	})
	switch mistakes = append(mistakes, unread...); {
	case len(mistakes) > maxMistakes:
		mistakes = append(mistakes[:maxMistakes], tooManyMistakes(file))
	case documents == 0 && len(mistakes) == 0:
		mistakes = append(mistakes, mistake.Mistake{File: file, Message: "has no Agent in it", Fix: wantedAgent})
	}
	return agents, mistakes
}

const wantedAgent = "write one, beginning with apiVersion: " + APIVersion + " and kind: " + Kind

// eachDocument calls do for each document that is not empty, until it returns false. The
// mistake is what ends the reading.
func eachDocument(file string, data []byte, do func(*yaml.Node) bool) mistake.Mistakes {
	if wrong := textMistakes(file, data); wrong != nil {
		return wrong
	}
	if isJSON(data) {
		eachJSON(data, do)
		return nil
	}
	for reader := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var node yaml.Node
		err := reader.Decode(&node)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil { // the next document can't be found
			return mistake.Mistakes{syntaxMistake(file, data, err)}
		}
		if node.Kind == yaml.DocumentNode && len(node.Content) == 1 && node.Content[0].ShortTag() != "!!null" && !do(node.Content[0]) {
			return nil
		}
	}
}

func readOne(file string, node *yaml.Node, kinds Kinds) (*Agent, mistake.Mistakes) {
	d := newDecoder(file, node, "", kinds)
	if apiVersion, kind, other := otherObject(d); other {
		d.reject(d.root, fmt.Sprintf("the object is a %s of %s, which is not read here", quote(kind), quote(apiVersion)),
			"expected apiVersion "+APIVersion+" and kind "+Kind)
		return nil, d.mistakes
	}
	agent := &Agent{File: file, Line: node.Line, node: node, verbs: kinds.verbTypes()}
	d.decode(agent)
	if node.Kind == yaml.MappingNode {
		(&validator{decoder: d, agent: agent}).validate()
	}
	return agent, d.mistakes
}

// otherObject reports whether the document is an object of another kind, whose fields are
// not checked. A typing error in the apiVersion or kind of an Agent does not count.
func otherObject(d *decoder) (apiVersion, kind string, other bool) {
	text := func(name string) string {
		_, value, there := d.root.field(name).find(d.tree)
		if !there || value.Kind != yaml.ScalarNode {
			return ""
		}
		return value.Value
	}
	apiVersion, kind = text("apiVersion"), text("kind")
	if apiVersion != "" && closest(apiVersion, []string{APIVersion}) == "" && !strings.HasPrefix(apiVersion, "scanflow.dev/") {
		return apiVersion, kind, true
	}
	return apiVersion, kind, kind != "" && closest(kind, []string{Kind}) == ""
}

// rejectDuplicates drops agents with the same name and adds their mistakes.
func rejectDuplicates(agents []*Agent, mistakes mistake.Mistakes) ([]*Agent, error) {
	first, twice := map[string]*Agent{}, map[string]bool{}
	for _, a := range agents {
		name := a.Info().String()
		before, there := first[name]
		if !there {
			first[name] = a
			continue
		}
		twice[name] = true
		mistakes = append(mistakes, mistake.Mistake{
			File: a.File, Line: a.Line, Column: 1, Path: "metadata.name",
			Message: fmt.Sprintf("the agent %s is in %s:%d already", name, before.File, before.Line), Fix: "rename one",
		})
	}
	agents = slices.DeleteFunc(agents, func(a *Agent) bool { return twice[a.Info().String()] })
	return agents, mistakes.Sorted().Err()
}
