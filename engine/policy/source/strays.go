package source

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/spelling"
)

// ignoreFile lists files in a policy folder that are not policies on purpose.
const ignoreFile = ".scanflowignore"

// toolFolders are hidden folders of other tools; their content is ignored.
var toolFolders = []string{".git", ".github", ".gitlab", ".gitea", ".circleci", ".regal", ".vscode", ".idea", ".devcontainer", ".svn", ".hg", ".venv", ".terraform", ".cache"}

// fixtureFolders are folders whose .json and .yaml files are schemas and fixtures.
var fixtureFolders = []string{"schema", "schemas", "testdata", "fixtures"}

// dataExtensions are the extensions of files that look like data files.
var dataExtensions = []string{"json", "yaml", "yml", "toml", "hjson", "ndjson", "csv", "tsv", "txt", "xml", "ini", "cue"}

const dataNames = "data files are named data.json, data.yaml or data.yml, and hold what stands at their folder's place in data"

// strays reports files that look like policies or data but are not read, since their
// authors would expect them to have an effect.
func (p *Part) strays() mistake.Mistakes {
	ignored, out := p.ignored()
	used := map[string]bool{}
	for _, f := range p.Beside {
		message, fix := stray(f.Path)
		if message == "" {
			continue
		}
		if line, is := ignored.match(f.Path); is {
			used[line] = true
			continue
		}
		out = append(out, mistake.Mistake{File: p.Name(f.Path), Message: message, Fix: fix})
	}
	for _, l := range ignored {
		if read, is := p.policyFileMatching(l); is && used[l.pattern] {
			out = append(out, mistake.Mistake{File: p.Name(ignoreFile), Line: l.line, Column: 1, Message: fmt.Sprintf("%q names %s too, which is read", l.pattern, p.Name(read)), Fix: "name the files that are not; what is not to be read lies outside of the policy folder"})
			continue
		}
		if !used[l.pattern] {
			out = append(out, mistake.Mistake{File: p.Name(ignoreFile), Line: l.line, Column: 1, Message: fmt.Sprintf("%q names nothing that would be refused", l.pattern), Fix: "delete the line"})
		}
	}
	return out
}

// policyFileMatching returns a policy file that a pattern of the ignore file matches.
func (p *Part) policyFileMatching(l ignorePattern) (string, bool) {
	for _, f := range p.Files {
		if _, is := (ignorePatterns{l}).match(f.Path); is && f.Path != ignoreFile {
			return f.Path, true
		}
	}
	return "", false
}

// stray returns why a file that is not read looks like a mistake, or "".
func stray(file string) (message, fix string) {
	const elsewhere = ", put it elsewhere, or list it in " + ignoreFile
	dir, base := path.Split(file)
	lower := strings.ToLower(base)
	folders := strings.Split(strings.TrimSuffix(dir, "/"), "/")
	switch {
	case isEditorFile(base):
		return "", ""
	case slices.ContainsFunc(folders, func(f string) bool { return strings.HasPrefix(f, ".") }):
		return "is not read: it lies in a hidden folder", "move it to a folder whose name begins with another character than a dot" + elsewhere
	case lower == ".manifest" || lower == signaturesFile || lower == ignoreFile:
		return "is not read: it is called " + lower, "write the name in small letters"
	case lower == ".manifest.pb":
		return "is not read: a manifest is JSON here", `write .manifest, like {"roots": ["scanflow"], "rego_version": 1}`
	case strings.HasSuffix(lower, ".rego"):
		if hidden(base) {
			return "is not read: it is a hidden file", "take the dot away from its name" + elsewhere
		}
		return "is not read: the name of a policy ends with .rego in small letters", "rename it" + elsewhere
	case strings.Contains(lower, ".rego") || spelling.Similar(strings.TrimPrefix(path.Ext(lower), "."), "rego", 1):
		return "is not read: the name of a policy ends with .rego", "rename it" + elsewhere
	case slices.ContainsFunc([]string{".manifest", ".signatures", ignoreFile}, func(name string) bool { return similarControlFile(lower, name) }):
		return "is not read: the files that are about policies are called .manifest, " + signaturesFile + " and " + ignoreFile, "rename it" + elsewhere
	case strings.HasSuffix(lower, ".wasm"):
		return "is not read: policies are Rego", "build the bundle with --target rego"
	}
	if name := strings.TrimPrefix(lower, "."); slices.ContainsFunc(dataExtensions, func(like string) bool { return strings.HasPrefix(name, "data."+like) }) {
		return "is not read: " + dataNames, "rename it" + elsewhere
	}
	if hidden(base) || slices.ContainsFunc(folders, func(f string) bool { return slices.Contains(fixtureFolders, f) }) {
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

// similarControlFile reports whether a file has the name of a control file (manifest,
// signatures, ignore file) without its dot or with a suffix.
func similarControlFile(file, name string) bool {
	without := strings.TrimPrefix(name, ".")
	return file == without || file == without+".json" && without != "manifest" || strings.HasPrefix(file, name) && file != signaturesFile
}

// isEditorFile reports whether a file is a temporary file of an editor or the system.
func isEditorFile(base string) bool {
	return strings.HasSuffix(base, "~") || strings.HasPrefix(base, "._") || strings.HasPrefix(base, ".#") || strings.HasPrefix(base, "#") ||
		strings.HasSuffix(base, ".swp") || strings.HasSuffix(base, ".swo") || strings.HasSuffix(base, ".swx") || strings.Contains(base, ".tmp") || strings.HasSuffix(base, ".new")
}

// ignorePattern is a line of the ignore file.
type ignorePattern struct {
	pattern string
	line    int
}

type ignorePatterns []ignorePattern

// ignored parses the ignore file. Each line is a pattern of path.Match, or a folder
// that ends with a slash.
func (p *Part) ignored() (ignorePatterns, mistake.Mistakes) {
	var lines ignorePatterns
	var out mistake.Mistakes
	for _, f := range p.Files {
		if path.Base(f.Path) != ignoreFile {
			continue
		}
		if f.Path != ignoreFile {
			out = append(out, mistake.Mistake{File: p.Name(f.Path), Message: "is in a sub-folder, where it is not read", Fix: "move its lines to the one at the top of the policy folder"})
			continue
		}
		for i, text := range strings.Split(string(f.Content), "\n") {
			text = strings.TrimSpace(text)
			if text == "" || strings.HasPrefix(text, "#") {
				continue
			}
			if _, err := path.Match(text, "x"); err != nil {
				out = append(out, mistake.Mistake{File: p.Name(f.Path), Line: i + 1, Column: 1, Message: fmt.Sprintf("%q is no pattern", text), Fix: "write a path below the folder, with * and ? in a name, or a folder with / at its end"})
				continue
			}
			lines = append(lines, ignorePattern{text, i + 1})
		}
	}
	return lines, out
}

func (lines ignorePatterns) match(file string) (string, bool) {
	for _, l := range lines {
		if is, _ := path.Match(l.pattern, file); is || strings.HasSuffix(l.pattern, "/") && strings.HasPrefix(file, l.pattern) {
			return l.pattern, true
		}
	}
	return "", false
}

// secondDocument returns the line of the second document in a YAML text, which would
// be ignored, or 0.
func secondDocument(raw []byte) int {
	begun, over := false, 0 // over is the line at which the first document ended
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
