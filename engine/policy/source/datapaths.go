package source

import (
	"path"

	"github.com/open-policy-agent/opa/v1/ast"
)

// MaxNamed bounds the data paths or rules that are reported one by one for a kind of
// mistake, because data may have a million. The others are counted.
const MaxNamed = 20

// FilesSetting returns, for each path, the first data file that sets a value at or
// below it, or "?". It parses the files again, because an index of all data would take
// as much memory as the data.
func FilesSetting(parts []Source, paths [][]string) []string {
	out := make([]string, len(paths))
	left := len(paths)
	for _, p := range parts {
		for _, f := range p.Files {
			if left == 0 {
				return out
			}
			if !isDataFile(path.Base(f.Path)) {
				continue
			}
			v, err := parseDataFile(f)
			if err != nil {
				continue
			}
			for i, at := range paths {
				if out[i] == "" && hasPath(v, at) {
					out[i] = p.Name(f.Path)
					left--
				}
			}
		}
	}
	for i := range out {
		if out[i] == "" {
			out[i] = "?"
		}
	}
	return out
}

// DataPaths collects data paths for a report.
type DataPaths struct {
	First  [][]string // the first maxNamed
	Others int        // the number of others
}

func (p *DataPaths) Add(at []string) {
	if len(p.First) < MaxNamed {
		p.First = append(p.First, at)
	} else {
		p.Others++
	}
}

func hasPath(v any, at []string) bool {
	for _, k := range at {
		obj, ok := v.(map[string]any)
		if !ok {
			return false
		}
		if v, ok = obj[k]; !ok {
			return false
		}
	}
	return true
}

// FormatPath formats a data path as a Rego reference.
func FormatPath(at []string) string {
	ref := ast.Ref{ast.DefaultRootDocument}
	for _, k := range at {
		ref = append(ref, ast.StringTerm(k))
	}
	return ref.String()
}
