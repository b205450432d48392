package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

// Opened is a source with its data and manifests parsed.
type Opened struct {
	Source
	Parts []*Part
	// data is the content of the data files.
	Data map[string]any
}

// Part is one of the joined sources.
type Part struct {
	Source
	// roots are those of the manifest; nil if it has none.
	roots   []string
	modules int
}

func newOpened(s Source) *Opened {
	o := &Opened{Source: s, Data: map[string]any{}}
	for _, p := range s.All() {
		o.Parts = append(o.Parts, &Part{Source: p})
	}
	return o
}

// Open verifies the signatures and parses everything but the modules. The input is
// foreign.
func (s Source) Open() (*Opened, mistake.Mistakes) {
	o := newOpened(s)
	var mistakes mistake.Mistakes
	modules := 0
	for _, p := range o.Parts {
		wrong := slices.Concat(p.checkSigned(), p.strays(), o.parseData(p))
		if len(wrong) == 0 {
			wrong = p.verifySignature()
		}
		if len(wrong) == 0 && p.Packed != nil {
			wrong = checkBundle(p.Source)
		}
		mistakes = append(mistakes, wrong...)
		if !p.Shipped {
			modules += p.modules
		}
	}
	if modules == 0 {
		mistakes = append(mistakes, mistake.Mistake{Message: s.Origin + " holds no .rego file", Fix: "name the folder or bundle that holds the policies"})
	}
	return o, mistakes
}

func (s *Opened) parseData(p *Part) mistake.Mistakes {
	var mistakes mistake.Mistakes
	for _, f := range p.Files {
		if path.Base(f.Path) != ".manifest" {
			continue
		}
		f.Path = p.Name(f.Path)
		if f.Path != p.Name(".manifest") {
			mistakes = append(mistakes, mistake.Mistake{File: f.Path, Message: "a manifest in a sub-folder", Fix: "move it to the top of the policy folder"})
			continue
		}
		mistakes = append(mistakes, p.readManifest(f)...)
	}
	for _, f := range p.Files {
		switch base := path.Base(f.Path); {
		case strings.HasSuffix(base, ".rego"):
			p.modules++
			if err := bounded.CheckSource(f.Content); err != nil {
				f.Path = p.Name(f.Path)
				mistakes = append(mistakes, mistakeAt(f, err, "split it into rules, or move it to a data file"))
			}
		case isDataFile(base):
			mistakes = append(mistakes, s.addData(p, f)...)
		}
	}
	if len(p.Files) == 0 && len(s.Parts) > 1 {
		mistakes = append(mistakes, mistake.Mistake{Message: p.Origin + " holds neither .rego nor data files", Fix: "name the folder or bundle that holds the policies, or leave it out"})
	}
	return mistakes
}

func (p *Part) readManifest(f File) mistake.Mistakes {
	var m *struct {
		Roots       *[]string      `json:"roots"`
		RegoVersion *int           `json:"rego_version"`
		Versions    map[string]int `json:"file_rego_versions"`
		Wasm        []any          `json:"wasm"`
		Revision    any            `json:"revision"` // not used
		Metadata    any            `json:"metadata"` // not used
	}
	const fix = `write it like {"roots": ["scanflow"], "rego_version": 1}`
	d := json.NewDecoder(bytes.NewReader(f.Content))
	d.DisallowUnknownFields() // a misspelt field would have no effect
	err := d.Decode(&m)
	if err == nil && m == nil {
		err = errors.New("it is null")
	}
	if _, more := d.Token(); err == nil && more == nil {
		err = errors.New("it goes on after its end")
	}
	if err != nil {
		return mistake.Mistakes{{File: f.Path, Message: "not a manifest: " + err.Error(), Fix: fix}}
	}
	if err := checkJSONKeys(f.Content); err != nil {
		return mistake.Mistakes{mistakeAt(f, err, duplicateKeyFix)}
	}
	for _, name := range util.KeysSorted(m.Versions) {
		if m.Versions[name] != 1 {
			return mistake.Mistakes{{File: f.Path, Message: fmt.Sprintf("file_rego_versions has %d for %q, and is not looked at", m.Versions[name], name), Fix: "policies are written in Rego 1: leave it out"}}
		}
	}
	if len(m.Wasm) > 0 {
		return mistake.Mistakes{{File: f.Path, Message: "wasm is not looked at: policies are Rego", Fix: "build the bundle with --target rego"}}
	}
	if m.RegoVersion != nil && *m.RegoVersion != 1 {
		return mistake.Mistakes{{File: f.Path, Message: fmt.Sprintf("rego_version %d", *m.RegoVersion), Fix: "policies are written in Rego 1: set rego_version to 1"}}
	}
	if m.Roots != nil {
		p.roots = []string{}
		for _, r := range *m.Roots {
			p.roots = append(p.roots, strings.Trim(r, "/"))
		}
	}
	return nil
}

// mistakeAt returns a mistake in a file, with the line if it is known.
func mistakeAt(f File, err error, fix string) mistake.Mistake {
	m := mistake.Mistake{File: f.Path, Message: err.Error(), Fix: fix}
	if place := new(bounded.Place); errors.As(err, &place) {
		m.Line, m.Column, m.Message = place.Line, 1, place.Err.Error()
	}
	return m
}

// outsideRoots reports data of a file that is outside of the manifest's roots. For
// packages, parseModule does.
func (p *Part) outsideRoots(file string, data map[string]any) mistake.Mistakes {
	if p.roots == nil {
		return nil
	}
	var out mistake.Mistakes
	var walk func(v any, at []string)
	walk = func(v any, at []string) {
		if len(at) > 0 && p.inRoots(at) {
			return
		}
		obj, ok := v.(map[string]any)
		if !ok {
			out = append(out, mistake.Mistake{File: file, Message: "data." + strings.Join(at, ".") + " is outside of the manifest's roots", Fix: "move the data file, or add a root"})
			return
		}
		for _, k := range util.KeysSorted(obj) {
			walk(obj[k], append(slices.Clone(at), k))
		}
	}
	walk(data, nil)
	return out
}

// inRoots reports whether a path is at or below one of the roots.
func (p *Part) inRoots(at []string) bool {
	joined := strings.Join(at, "/") + "/"
	return slices.ContainsFunc(p.roots, func(root string) bool {
		return root == "" || strings.HasPrefix(joined, root+"/")
	})
}

func (p *Part) OwnsPackage(m *ast.Module) bool {
	if p.roots == nil {
		return true
	}
	var at []string
	for _, t := range m.Package.Path[1:] {
		if str, ok := t.Value.(ast.String); ok {
			at = append(at, string(str))
		}
	}
	return p.inRoots(at)
}
