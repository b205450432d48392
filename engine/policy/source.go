package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

// MaxBytes bounds what is read of one set of policies, in bytes, unpacked.
const MaxBytes = 32 << 20

// File is one file of a set of policies; Path is relative, with slashes.
type File struct {
	Path    string
	Content []byte
}

// Source is a set of policies as read: every .rego file (tests too), data.json and
// data.yaml, and the manifest, none of them looked into yet. Open does that.
type Source struct {
	// Origin says where it was read, for messages.
	Origin string
	Files  []File // by path
	// Packed is the bundle that they were in; nil where they were in none.
	Packed []byte
}

// opened is a source whose data and manifest were parsed.
type opened struct {
	Source
	// data is `data` without the rules.
	data map[string]any
	// roots are the manifest's; nil where there is none.
	roots []string
}

// ID is the revision: the first 12 hex digits of a SHA-256 over paths and contents.
func (s Source) ID() string {
	h := sha256.New()
	for _, f := range s.Files {
		_, _ = fmt.Fprintf(h, "%d:%s%d:", len(f.Path), f.Path, len(f.Content))
		_, _ = h.Write(f.Content)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// wanted tells whether a file belongs to a set of policies.
func wanted(name string) bool {
	switch path.Base(name) {
	case "data.json", "data.yaml", "data.yml", ".manifest":
		return true
	}
	return strings.HasSuffix(name, ".rego")
}

// newSource is a Source of the files.
func newSource(origin string, files []File) Source {
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return Source{Origin: origin, Files: files}
}

// open parses everything but the modules. It is work on foreign input.
func (s Source) open() (*opened, Mistakes) {
	o := &opened{Source: s, data: map[string]any{}}
	mistakes := o.parse()
	if len(mistakes) == 0 && s.Packed != nil {
		mistakes = judgeBundle(s)
	}
	return o, mistakes
}

func (s *opened) parse() Mistakes {
	var mistakes Mistakes
	modules := 0
	for _, f := range s.Files {
		switch base := path.Base(f.Path); {
		case strings.HasSuffix(base, ".rego"):
			modules++
			if err := bounded.CheckSource(f.Content); err != nil {
				mistakes = append(mistakes, misplaced(f, err, "split it into rules, or move it to a data file"))
			}
		case base == ".manifest":
			if f.Path != ".manifest" {
				mistakes = append(mistakes, Mistake{File: f.Path, Message: "a manifest in a sub-folder", Fix: "move it to the top of the policy folder"})
				continue
			}
			mistakes = append(mistakes, s.readManifest(f)...)
		default:
			if err := s.addData(f); err != nil {
				mistakes = append(mistakes, misplaced(f, err, ""))
			}
		}
	}
	if modules == 0 {
		mistakes = append(mistakes, Mistake{Message: s.Origin + " holds no .rego file", Fix: "name the folder or bundle that holds the policies"})
	}
	return append(mistakes, s.checkRoots()...)
}

func (s *opened) readManifest(f File) Mistakes {
	var m struct {
		Roots       *[]string `json:"roots"`
		RegoVersion *int      `json:"rego_version"`
	}
	if err := json.NewDecoder(bytes.NewReader(f.Content)).Decode(&m); err != nil {
		return Mistakes{{File: f.Path, Message: "not a manifest: " + err.Error(), Fix: `write it like {"roots": ["scanflow"], "rego_version": 1}`}}
	}
	if m.RegoVersion != nil && *m.RegoVersion != 1 {
		return Mistakes{{File: f.Path, Message: fmt.Sprintf("rego_version %d", *m.RegoVersion), Fix: "policies are written in Rego 1: set rego_version to 1"}}
	}
	if m.Roots != nil {
		s.roots = []string{}
		for _, r := range *m.Roots {
			s.roots = append(s.roots, strings.Trim(r, "/"))
		}
	}
	return nil
}

// misplaced is a mistake in a file, at its line where that is known.
func misplaced(f File, err error, fix string) Mistake {
	m := Mistake{File: f.Path, Message: err.Error(), Fix: fix}
	if place := new(bounded.Place); errors.As(err, &place) {
		m.Line, m.Col, m.Message = place.Line, 1, place.Err.Error()
	}
	return m
}

// addData puts a data file in its place: that of its folder.
func (s *opened) addData(f File) error {
	var v any
	var err error
	if strings.HasSuffix(f.Path, ".json") {
		if err = bounded.CheckJSON(f.Content); err == nil {
			err = util.UnmarshalJSON(f.Content, &v)
		}
	} else if err = bounded.CheckYAML(f.Content, MaxBytes); err == nil {
		err = util.Unmarshal(f.Content, &v)
	}
	if place := new(bounded.Place); errors.As(err, &place) {
		return err
	}
	if err != nil {
		return fmt.Errorf("can't be read as data: %w", err)
	}
	var keys []string
	if dir := path.Dir(f.Path); dir != "." {
		keys = strings.Split(dir, "/")
	}
	for _, k := range slices.Backward(keys) {
		v = map[string]any{k: v}
	}
	obj, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("holds %T; the top of a data file must be an object", v)
	}
	return merge(s.data, obj, "data")
}

func merge(into, from map[string]any, where string) error {
	for k, v := range from {
		old, there := into[k]
		if !there {
			into[k] = v
			continue
		}
		a, okA := old.(map[string]any)
		b, okB := v.(map[string]any)
		if !okA || !okB {
			return fmt.Errorf("%s.%s is set by another data file too", where, k)
		}
		if err := merge(a, b, where+"."+k); err != nil {
			return err
		}
	}
	return nil
}

// checkRoots finds data outside of the manifest's roots; compile does so for packages.
func (s *opened) checkRoots() Mistakes {
	if s.roots == nil {
		return nil
	}
	var out Mistakes
	var walk func(v any, at []string)
	walk = func(v any, at []string) {
		if len(at) > 0 && s.inRoots(at) {
			return
		}
		obj, ok := v.(map[string]any)
		if !ok {
			out = append(out, Mistake{Message: "data." + strings.Join(at, ".") + " is outside of the manifest's roots", Fix: "move the data file, or add a root"})
			return
		}
		for _, k := range util.KeysSorted(obj) {
			walk(obj[k], append(slices.Clone(at), k))
		}
	}
	walk(s.data, nil)
	return out
}

// inRoots tells whether a path is at or below one of the roots.
func (s *opened) inRoots(at []string) bool {
	joined := strings.Join(at, "/") + "/"
	return slices.ContainsFunc(s.roots, func(root string) bool {
		return root == "" || strings.HasPrefix(joined, root+"/")
	})
}

func packageInRoots(s *opened, m *ast.Module) bool {
	if s.roots == nil {
		return true
	}
	var at []string
	for _, t := range m.Package.Path[1:] {
		if str, ok := t.Value.(ast.String); ok {
			at = append(at, string(str))
		}
	}
	return s.inRoots(at)
}
