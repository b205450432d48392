package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// ignoreFile lists files that lie beside policies on purpose.
const ignoreFile = ".scanflowignore"

// toolFolders are hidden folders that are of other tools, whatever is in them.
var toolFolders = []string{".git", ".github", ".gitlab", ".gitea", ".circleci", ".regal", ".vscode", ".idea", ".devcontainer", ".svn", ".hg", ".venv", ".terraform", ".cache"}

// besideFolders are folders whose .json and .yaml files are for schemas and tests.
var besideFolders = []string{"schema", "schemas", "testdata", "fixtures"}

// dataLike is how the type of a file begins that may be meant to hold data.
var dataLike = []string{"json", "yaml", "yml", "toml", "hjson", "ndjson", "csv", "tsv", "txt", "xml", "ini", "cue"}

const dataNames = "data files are named data.json, data.yaml or data.yml, and hold what stands at their folder's place in data"

// strays finds files that look like policies or data and are not read: who wrote one
// believes that it counts.
func (p *part) strays() mistake.Mistakes {
	ignored, out := p.ignored()
	hit := map[string]bool{}
	for _, f := range p.Beside {
		message, fix := stray(f.Path)
		if message == "" {
			continue
		}
		if line, is := ignored.match(f.Path); is {
			hit[line] = true
			continue
		}
		out = append(out, mistake.Mistake{File: p.name(f.Path), Message: message, Fix: fix})
	}
	for _, l := range ignored {
		if read, is := p.reads(l); is && hit[l.pattern] {
			out = append(out, mistake.Mistake{File: p.name(ignoreFile), Line: l.line, Column: 1, Message: fmt.Sprintf("%q names %s too, which is read", l.pattern, p.name(read)), Fix: "name the files that are not; what is not to be read lies outside of the policy folder"})
			continue
		}
		if !hit[l.pattern] {
			out = append(out, mistake.Mistake{File: p.name(ignoreFile), Line: l.line, Column: 1, Message: fmt.Sprintf("%q names nothing that would be refused", l.pattern), Fix: "delete the line"})
		}
	}
	return out
}

// reads is a file that is read and that a line of the ignore file names.
func (p *part) reads(l ignoreLine) (string, bool) {
	for _, f := range p.Files {
		if _, is := (ignoreLines{l}).match(f.Path); is && f.Path != ignoreFile {
			return f.Path, true
		}
	}
	return "", false
}

// stray says why a file that is not read should not be there; "" where it may.
func stray(file string) (message, fix string) {
	const elsewhere = ", put it elsewhere, or list it in " + ignoreFile
	dir, base := path.Split(file)
	lower := strings.ToLower(base)
	folders := strings.Split(strings.TrimSuffix(dir, "/"), "/")
	switch {
	case ofTool(base):
		return "", ""
	case slices.ContainsFunc(folders, func(f string) bool { return strings.HasPrefix(f, ".") }):
		return "is not read: it lies in a hidden folder", "move it to a folder whose name begins with another character than a dot" + elsewhere
	case lower == ".manifest" || lower == signatures || lower == ignoreFile:
		return "is not read: it is called " + lower, "write the name in small letters"
	case lower == ".manifest.pb":
		return "is not read: a manifest is JSON here", `write .manifest, like {"roots": ["scanflow"], "rego_version": 1}`
	case strings.HasSuffix(lower, ".rego"):
		if hidden(base) {
			return "is not read: it is a hidden file", "take the dot away from its name" + elsewhere
		}
		return "is not read: the name of a policy ends with .rego in small letters", "rename it" + elsewhere
	case strings.Contains(lower, ".rego") || near(strings.TrimPrefix(path.Ext(lower), "."), "rego", 1):
		return "is not read: the name of a policy ends with .rego", "rename it" + elsewhere
	case slices.ContainsFunc([]string{".manifest", ".signatures", ignoreFile}, func(name string) bool { return nearlyNamed(lower, name) }):
		return "is not read: the files that are about policies are called .manifest, " + signatures + " and " + ignoreFile, "rename it" + elsewhere
	case strings.HasSuffix(lower, ".wasm"):
		return "is not read: policies are Rego", "build the bundle with --target rego"
	}
	if name := strings.TrimPrefix(lower, "."); slices.ContainsFunc(dataLike, func(like string) bool { return strings.HasPrefix(name, "data."+like) }) {
		return "is not read: " + dataNames, "rename it" + elsewhere
	}
	if hidden(base) || slices.ContainsFunc(folders, func(f string) bool { return slices.Contains(besideFolders, f) }) {
		return "", ""
	}
	switch path.Ext(lower) {
	case ".json", ".yaml", ".yml":
		return "is not read: " + dataNames, "name it data" + path.Ext(lower) + elsewhere
	case ".jsonc", ".json5", ".hjson", ".jsonl", ".ndjson":
		return "is not read: " + dataNames, "write it as JSON or YAML" + elsewhere
	}
	return "", ""
}

// nearlyNamed reports whether a file is called like one that is about policies, with a dot
// less or with more at its end.
func nearlyNamed(file, name string) bool {
	without := strings.TrimPrefix(name, ".")
	return file == without || file == without+".json" && without != "manifest" || strings.HasPrefix(file, name) && file != signatures
}

// ofTool reports whether a file is an editor's or a system's, that comes and goes beside
// the one that is meant.
func ofTool(base string) bool {
	return strings.HasSuffix(base, "~") || strings.HasPrefix(base, "._") || strings.HasPrefix(base, ".#") || strings.HasPrefix(base, "#") ||
		strings.HasSuffix(base, ".swp") || strings.HasSuffix(base, ".swo") || strings.HasSuffix(base, ".swx") || strings.Contains(base, ".tmp") || strings.HasSuffix(base, ".new")
}

// ignoreLine is a pattern of the ignore file.
type ignoreLine struct {
	pattern string
	line    int
}

type ignoreLines []ignoreLine

// ignored reads the ignore file: a pattern a line, by path.Match, or a folder with a slash
// at its end.
func (p *part) ignored() (ignoreLines, mistake.Mistakes) {
	var lines ignoreLines
	var out mistake.Mistakes
	for _, f := range p.Files {
		if path.Base(f.Path) != ignoreFile {
			continue
		}
		if f.Path != ignoreFile {
			out = append(out, mistake.Mistake{File: p.name(f.Path), Message: "is in a sub-folder, where it is not read", Fix: "move its lines to the one at the top of the policy folder"})
			continue
		}
		for i, text := range strings.Split(string(f.Content), "\n") {
			text = strings.TrimSpace(text)
			if text == "" || strings.HasPrefix(text, "#") {
				continue
			}
			if _, err := path.Match(text, "x"); err != nil {
				out = append(out, mistake.Mistake{File: p.name(f.Path), Line: i + 1, Column: 1, Message: fmt.Sprintf("%q is no pattern", text), Fix: "write a path below the folder, with * and ? in a name, or a folder with / at its end"})
				continue
			}
			lines = append(lines, ignoreLine{text, i + 1})
		}
	}
	return lines, out
}

func (lines ignoreLines) match(file string) (string, bool) {
	for _, l := range lines {
		if is, _ := path.Match(l.pattern, file); is || strings.HasSuffix(l.pattern, "/") && strings.HasPrefix(file, l.pattern) {
			return l.pattern, true
		}
	}
	return "", false
}

// secondDocument is the line at which a YAML text has a document after its first, which
// nobody reads; 0 where it has none.
func secondDocument(raw []byte) int {
	begun, over := false, 0 // the line at which the first document ended
	lines := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(raw))
	for i, line := range strings.Split(lines, "\n") {
		text := strings.TrimSpace(line)
		marker := line == "---" || strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "---\t")
		ended := line == "..." || strings.HasPrefix(line, "... ")
		content := text != "" && !strings.HasPrefix(text, "#") && !strings.HasPrefix(line, "%")
		switch {
		case marker && begun && over == 0, ended && over == 0:
			over = i + 1
		}
		if marker {
			text = strings.TrimSpace(strings.TrimPrefix(text, "---"))
			content = text != "" && !strings.HasPrefix(text, "#")
			begun = true
		}
		if content && !ended {
			if over > 0 {
				return over
			}
			begun = true
		}
	}
	return 0
}
