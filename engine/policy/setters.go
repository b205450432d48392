package policy

import "path"

// mostNamed is how many values of data, or rules, are named one by one, of a kind of mistake:
// data may have a million. How many others there are is said.
const mostNamed = 20

// setters returns, for each path, the first data file that sets something at or below it; "?" for
// none. The files are parsed again, once: to note it for all data would cost as much
// memory as the data.
func setters(parts []Source, paths [][]string) []string {
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
			v, err := dataOf(f)
			if err != nil {
				continue
			}
			for i, at := range paths {
				if out[i] == "" && has(v, at) {
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

// places are paths of data of which something is said.
type places struct {
	named  [][]string // the first
	others int        // how many more
}

func (p *places) add(at []string) {
	if len(p.named) < mostNamed {
		p.named = append(p.named, at)
	} else {
		p.others++
	}
}

func has(v any, at []string) bool {
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
