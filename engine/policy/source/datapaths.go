package policy

import "path"

// maxNamed bounds the data paths or rules that are reported one by one for a kind of
// mistake, because data may have a million. The others are counted.
const maxNamed = 20

// filesSetting returns, for each path, the first data file that sets a value at or
// below it, or "?". It parses the files again, because an index of all data would take
// as much memory as the data.
func filesSetting(parts []Source, paths [][]string) []string {
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
					out[i] = p.name(f.Path)
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

// dataPaths collects data paths for a report.
type dataPaths struct {
	named  [][]string // the first maxNamed
	others int        // the number of others
}

func (p *dataPaths) add(at []string) {
	if len(p.named) < maxNamed {
		p.named = append(p.named, at)
	} else {
		p.others++
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
