package manifest

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Stdin is the path of standard input, where it is read; stdinName is its name in messages.
const (
	Stdin     = "-"
	stdinName = "standard input"
)

// MaxMixedSize is the most that a file with objects of other kinds, or standard input, may
// hold, in bytes: a rendered chart, or the agents of a whole cluster.
const MaxMixedSize = 8 << 20

// Mixed is the result of ReadMixed.
type Mixed struct {
	// Agents are those without a mistake.
	Agents []*Agent
	// Skipped counts the objects of other kinds.
	Skipped Skipped
}

// ReadMixed reads the Agents among objects of other kinds: in files, in folders (their
// *.yaml, *.yml and *.json, not those of sub-folders), and in stdin where a path is "-". It
// reads the items of a List, and ignores the fields that the API server writes. A document
// that looks like an Agent but is wrong is a mistake, and so is a path without any Agent.
// Otherwise it is as Read.
func ReadMixed(paths []string, stdin io.Reader, kinds Kinds) (Mixed, error) {
	m := mixedReader{kinds: kinds, read: map[string]*mixedFile{}, skipped: Skipped{}}
	if len(paths) == 0 {
		_, m.mistakes = manifestFiles(nil)
	}
	inputs := 0
	for _, path := range paths {
		if path != Stdin {
			m.path(path)
			continue
		}
		if inputs++; inputs == 1 {
			m.stdin(stdin)
		}
	}
	if inputs > 1 {
		m.mistakes = append(m.mistakes, mistake.Mistake{File: stdinName, Message: "is given twice (-)", Fix: "it can be read once"})
	}
	agents, err := rejectDuplicates(m.agents, m.mistakes)
	return Mixed{Agents: agents, Skipped: m.skipped}, err
}

type mixedReader struct {
	kinds    Kinds
	read     map[string]*mixedFile // by name: a file may be in two of the paths
	agents   []*Agent
	mistakes mistake.Mistakes
	skipped  Skipped
}

// path reads a file, or the files of a folder.
func (m *mixedReader) path(path string) {
	files, missing := manifestFiles([]string{path}, ".yaml", ".yml", ".json")
	if m.mistakes = append(m.mistakes, missing...); len(missing) > 0 {
		return
	}
	found, complete := Skipped{}, true
	for _, name := range files {
		file, there := m.read[name]
		if !there {
			data, wrong := readFile(name, MaxMixedSize)
			file = &mixedFile{name: name, kinds: m.kinds}
			if wrong != nil {
				file.mistakes = mistake.Mistakes{*wrong}
			} else {
				file.readAll(data)
			}
			m.take(file)
		}
		complete = complete && !file.hasAgents && len(file.mistakes) == 0
		found.add(file.skipped)
	}
	if complete {
		m.noAgent(filepath.Clean(path), found)
	}
}

func (m *mixedReader) stdin(stdin io.Reader) {
	data, err := io.ReadAll(io.LimitReader(stdin, MaxMixedSize+1))
	file := &mixedFile{name: stdinName, kinds: m.kinds, named: true}
	switch {
	case err != nil:
		file.mistakes = mistake.Mistakes{{File: stdinName, Message: "can't be read: " + cause(err)}}
	case len(data) > MaxMixedSize:
		file.mistakes = mistake.Mistakes{{File: stdinName, Message: fmt.Sprintf("is larger than %d bytes", MaxMixedSize), Fix: "pass less of it"}}
	default:
		file.readAll(data)
	}
	if m.take(file); !file.hasAgents && len(file.mistakes) == 0 {
		m.noAgent(stdinName, file.skipped)
	}
}

func (m *mixedReader) take(file *mixedFile) {
	m.read[file.name] = file
	m.agents = append(m.agents, file.agents...)
	m.mistakes = append(m.mistakes, file.mistakes...)
	m.skipped.add(file.skipped)
}

// noAgent adds the mistake of a path that has objects of other kinds only, or nothing.
func (m *mixedReader) noAgent(path string, found Skipped) {
	wrong := mistake.Mistake{File: path, Message: "has no Agent in it", Fix: wantedAgent}
	if len(found) > 0 {
		wrong.Message += ": found " + found.String()
		wrong.Fix = "expected at least one object with apiVersion: " + APIVersion + " and kind: " + Kind
	} else if path == stdinName {
		wrong.Message, wrong.Fix = "is empty", "pipe at least one object with apiVersion: "+APIVersion+" and kind: "+Kind+" to it"
	}
	if found["Kustomization"] > 0 {
		wrong.Fix += ", or the output of kustomize build, as -f -"
	}
	m.mistakes = append(m.mistakes, wrong)
}

// mixedFile is a file with objects of any kind.
type mixedFile struct {
	name  string
	kinds Kinds
	named bool // mistakes name the agent

	hasAgents bool // with or without mistakes
	agents    []*Agent
	mistakes  mistake.Mistakes
	skipped   Skipped
}

func (f *mixedFile) readAll(data []byte) {
	f.skipped = Skipped{}
	f.mistakes = append(f.mistakes, eachDocument(f.name, data, func(node *yaml.Node) bool {
		f.object(node, f.named, 0)
		return len(f.mistakes) <= maxMistakes
	})...)
	if len(f.mistakes) > maxMistakes {
		f.mistakes = append(f.mistakes[:maxMistakes], tooManyMistakes(f.name))
	}
}

// object reads a document, or an item of a List.
func (f *mixedFile) object(node *yaml.Node, named bool, depth int) {
	switch kind := classify(node); {
	case len(f.mistakes) > maxMistakes:
	case kind.isList:
		f.list(node, kind, depth)
	case !kind.isAgent:
		f.skipped[kind.name]++
	default:
		f.hasAgents = true
		f.agent(node, kind, named)
	}
}

func (f *mixedFile) agent(node *yaml.Node, kind class, named bool) {
	object := ""
	if name := agentName(node); named && name != "" {
		object = Kind + " " + name
	}
	if kind.why != "" {
		f.reject(node, object, kind.why, "expected apiVersion "+APIVersion+" and kind "+Kind)
		return
	}
	dropServerFields(node)
	agent, wrong := readOne(f.name, node, f.kinds)
	for i := range wrong {
		wrong[i].Object = object
	}
	f.mistakes = append(f.mistakes, wrong...)
	if agent != nil && len(wrong) == 0 {
		agent.object = object
		f.agents = append(f.agents, agent)
	}
}

// list reads the items of a List.
func (f *mixedFile) list(node *yaml.Node, kind class, depth int) {
	items := valueOf(node, "items")
	switch {
	case depth == maxDepth:
		f.reject(node, "", fmt.Sprintf("has Lists more than %d deep", maxDepth), "")
	case kind.why != "":
		f.reject(node, "", kind.why, "write kind: "+kind.name)
	case items == nil || items.Kind != yaml.SequenceNode:
		f.reject(node, "", "a "+kind.name+" has a list of objects in items", "write items: [...]")
	case len(items.Content) == 0:
		f.skipped["empty "+kind.name]++
	default:
		for _, item := range items.Content {
			if item.Kind == yaml.AliasNode { // aliases of Lists multiply
				f.reject(item, "", "an item of a "+kind.name+" is an alias", "write the object out")
				continue
			}
			f.object(item, true, depth+1)
		}
	}
}

func (f *mixedFile) reject(node *yaml.Node, object, message, fix string) {
	f.mistakes = append(f.mistakes, mistake.Mistake{File: f.name, Line: node.Line, Column: node.Column, Object: object, Message: message, Fix: fix})
}

// agentName is the name of an object for messages, with its namespace if it has one; "" if
// it can't be one.
func agentName(node *yaml.Node) string {
	metadata := valueOf(node, "metadata")
	name, namespace := textOf(metadata, "name"), textOf(metadata, "namespace")
	if namespace != "" {
		name = namespace + "/" + name
	}
	plain := func(r rune) bool {
		return r == '-' || r == '.' || r == '/' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	}
	if strings.HasSuffix(name, "/") || len(name) > 2*shownLength || !allRunes(name, plain) {
		return ""
	}
	return name
}

func allRunes(s string, is func(rune) bool) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !is(r) })
}
