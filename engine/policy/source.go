package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
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
	// Parts are the sources that Join has joined; such a source has no files of its own.
	Parts []Source
	// Label precedes the paths of a part's files in messages; "" is nothing.
	Label string
	// Shipped marks guards that ship, beside policies of one's own.
	Shipped bool
	// Beside are the other files there, which are not read. They have content only where
	// the whole is signed.
	Beside []File
	// Dangling are links to nothing, by the names of policies, data or folders.
	Dangling []string
	// Key verifies the signatures; nil refuses what is signed.
	Key *Key
	// Taken marks what was verified already, when it was taken.
	Taken bool
}

// AsTaken is the source without its keys, to be kept by whoever has taken it.
func (s Source) AsTaken() Source {
	s.Key, s.Taken, s.Parts = nil, true, slices.Clone(s.Parts)
	for i := range s.Parts {
		s.Parts[i] = s.Parts[i].AsTaken()
	}
	return s
}

// attempt names what is tried: the content, and the keys that it is held against.
func (s Source) attempt() string {
	h := sha256.New()
	for _, p := range s.parts() {
		if p.Key != nil {
			_, _ = fmt.Fprintf(h, "%q%q%q", p.Key.Text, p.Key.Algorithm, p.Key.Scope)
		}
	}
	return s.sum() + hex.EncodeToString(h.Sum(nil))
}

// ID is the revision: the first 12 hex digits of a SHA-256 over paths and contents.
func (s Source) ID() string { return s.sum()[:12] }

// sum is the SHA-256 in hex digits. That of joined sources is over all of them, in
// whatever order they were given.
func (s Source) sum() string {
	h := sha256.New()
	sums := make([]string, len(s.Parts))
	for i, p := range s.Parts {
		sums[i] = p.sum()
	}
	slices.Sort(sums)
	for _, sum := range sums {
		_, _ = fmt.Fprintf(h, "part:%s", sum)
	}
	for _, f := range s.Files {
		_, _ = fmt.Fprintf(h, "%d:%s%d:", len(f.Path), f.Path, len(f.Content))
		_, _ = h.Write(f.Content)
	}
	for _, m := range (&part{Source: s}).strays() { // one that goes away is a change
		_, _ = fmt.Fprintf(h, "stray:%q", m.Error())
	}
	if s.signed() != nil {
		for _, f := range s.Beside {
			_, _ = fmt.Fprintf(h, "beside:%d:%s%d:", len(f.Path), f.Path, len(f.Content))
			_, _ = h.Write(f.Content)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// parts are the sources that were joined, or else the source itself.
func (s Source) parts() []Source {
	if len(s.Parts) == 0 {
		return []Source{s}
	}
	return s.Parts
}

// name is the name of a file in messages.
func (s Source) name(file string) string { return s.Label + file }

// partOf is the part that a file is of, by what the file is called in messages.
func (s Source) partOf(name string) Source {
	for _, p := range s.parts() {
		if slices.ContainsFunc(p.Files, func(f File) bool { return p.name(f.Path) == name }) {
			return p
		}
	}
	return s
}

// origins are where the files were read, by what they are called in messages.
func (s Source) origins() map[string]string {
	out := map[string]string{}
	for _, p := range s.parts() {
		for _, f := range p.Files {
			out[p.name(f.Path)] = p.Origin
		}
	}
	return out
}

// wanted tells whether a file belongs to a set of policies.
func wanted(name string) bool {
	base := path.Base(name)
	return isDataFile(base) || base == ".manifest" || base == signatures || base == ignoreFile || strings.HasSuffix(base, ".rego")
}

// isDataFile reports whether a file of that name holds data, as in an OPA bundle.
func isDataFile(base string) bool {
	return base == "data.json" || base == "data.yaml" || base == "data.yml"
}

// newSource is a Source of the files.
func newSource(origin string, files []File) Source {
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return Source{Origin: origin, Files: files}
}
