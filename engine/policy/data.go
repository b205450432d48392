package policy

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/util"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

// addData puts a data file of a part in its place: that of its folder.
func (s *opened) addData(p *part, f File) mistake.Mistakes {
	v, err := dataOf(f)
	f.Path = p.name(f.Path)
	if err != nil {
		fix := ""
		switch {
		case errors.Is(err, errSecond):
			fix = "write one document, or a data file in another folder"
		case errors.Is(err, errRounded):
			fix = roundedFix
		case errors.Is(err, errTwice):
			fix = twiceFix
		}
		return mistake.Mistakes{misplaced(f, err, fix)}
	}
	obj, ok := v.(map[string]any)
	if !ok {
		return mistake.Mistakes{{File: f.Path, Message: fmt.Sprintf("holds %T; the top of a data file must be an object", v)}}
	}
	if wrong := p.outside(f.Path, obj); len(wrong) > 0 {
		return wrong
	}
	var there places
	merge(s.data, obj, nil, &there)
	return s.setTwice(f.Path, there)
}

// dataOf returns the part of `data` that a data file adds: its content, below the names of its folders.
func dataOf(f File) (any, error) {
	v, err := readData(f)
	if err != nil {
		return nil, err
	}
	if dir := path.Dir(f.Path); dir != "." {
		for _, k := range slices.Backward(strings.Split(dir, "/")) {
			v = map[string]any{k: v}
		}
	}
	return v, nil
}

var errSecond = errors.New("a second document, which is not read")

// readData parses a data file.
func readData(f File) (v any, err error) {
	if line := secondDocument(f.Content); line > 0 && !strings.HasSuffix(f.Path, ".json") {
		return nil, &bounded.Place{Line: line, Err: errSecond}
	}
	if strings.HasSuffix(f.Path, ".json") {
		if err = bounded.CheckJSON(f.Content); err == nil {
			err = util.UnmarshalJSON(f.Content, &v)
		}
		if err == nil {
			err = jsonKeysOnce(f.Content)
		}
	} else if err = bounded.CheckYAML(f.Content, MaxBytes); err == nil {
		if err = exactYAML(f.Content); err != nil {
			return nil, err
		}
		err = util.Unmarshal(f.Content, &v)
	}
	if place := new(bounded.Place); errors.As(err, &place) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("can't be read as data: %w", err)
	}
	return v, nil
}

// setTwice refuses values of a data file that another has set.
func (s *opened) setTwice(file string, there places) mistake.Mistakes {
	var out mistake.Mistakes
	for i, by := range setters(s.Source.parts(), there.named) {
		out = append(out, mistake.Mistake{File: file, Message: fmt.Sprintf("%s is set by another data file too: %s", dataPath(there.named[i]), by), Fix: "take it out of one of the two"})
	}
	if there.others > 0 {
		out = append(out, mistake.Mistake{File: file, Message: fmt.Sprintf("%d more values are set by another data file too", there.others), Fix: "take each out of one of the two"})
	}
	return out
}

// merge adds the data of a file, and notes what is there already.
func merge(into, from map[string]any, at []string, there *places) {
	for _, k := range util.KeysSorted(from) {
		old, is := into[k]
		if !is {
			into[k] = from[k]
			continue
		}
		below := append(slices.Clone(at), k)
		a, okA := old.(map[string]any)
		b, okB := from[k].(map[string]any)
		if okA && okB {
			merge(a, b, below, there)
		} else {
			there.add(below)
		}
	}
}
