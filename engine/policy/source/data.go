package source

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

// addData merges a data file into the data, at the path of its folder.
func (s *Opened) addData(p *Part, f File) mistake.Mistakes {
	v, err := parseDataFile(f)
	f.Path = p.Name(f.Path)
	if err != nil {
		fix := ""
		switch {
		case errors.Is(err, errSecondDocument):
			fix = "write one document, or a data file in another folder"
		case errors.Is(err, errRounded):
			fix = roundedFix
		case errors.Is(err, errDuplicateKey):
			fix = duplicateKeyFix
		}
		return mistake.Mistakes{mistakeAt(f, err, fix)}
	}
	obj, ok := v.(map[string]any)
	if !ok {
		return mistake.Mistakes{{File: f.Path, Message: fmt.Sprintf("holds %T; the top of a data file must be an object", v)}}
	}
	if wrong := p.outsideRoots(f.Path, obj); len(wrong) > 0 {
		return wrong
	}
	var there DataPaths
	merge(s.Data, obj, nil, &there)
	return s.conflicts(f.Path, there)
}

// parseDataFile returns the content of a data file, nested below the names of its folders.
func parseDataFile(f File) (any, error) {
	v, err := parseData(f)
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

var errSecondDocument = errors.New("a second document, which is not read")

// parseData parses the content of a data file.
func parseData(f File) (v any, err error) {
	if line := secondDocument(f.Content); line > 0 && !strings.HasSuffix(f.Path, ".json") {
		return nil, &bounded.Place{Line: line, Err: errSecondDocument}
	}
	if strings.HasSuffix(f.Path, ".json") {
		if err = bounded.CheckJSON(f.Content); err == nil {
			err = util.UnmarshalJSON(f.Content, &v)
		}
		if err == nil {
			err = checkJSONKeys(f.Content)
		}
	} else if err = bounded.CheckYAML(f.Content, MaxBytes); err == nil {
		if err = checkYAMLText(f.Content); err != nil {
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

// conflicts reports values of a data file that another file sets too.
func (s *Opened) conflicts(file string, there DataPaths) mistake.Mistakes {
	var out mistake.Mistakes
	for i, by := range FilesSetting(s.Source.All(), there.First) {
		out = append(out, mistake.Mistake{File: file, Message: fmt.Sprintf("%s is set by another data file too: %s", FormatPath(there.First[i]), by), Fix: "take it out of one of the two"})
	}
	if there.Others > 0 {
		out = append(out, mistake.Mistake{File: file, Message: fmt.Sprintf("%d more values are set by another data file too", there.Others), Fix: "take each out of one of the two"})
	}
	return out
}

// merge adds the data of a file and collects the paths that are already set.
func merge(into, from map[string]any, at []string, there *DataPaths) {
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
			there.Add(below)
		}
	}
}
