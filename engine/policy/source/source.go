package source

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
)

// MaxBytes bounds the unpacked size of one set of policies, in bytes.
const MaxBytes = 32 << 20

// File is one file of a set of policies. Path is relative and uses slashes.
type File struct {
	Path    string
	Content []byte
}

// Source is a set of policies as read, before parsing: every .rego file (tests too),
// data.json and data.yaml, and the manifest. It is stored in encoding/gob to start
// from the last accepted policies, so its field names must not change.
type Source struct {
	// Origin is the folder, bundle or URL, for messages.
	Origin string
	Files  []File // sorted by path
	// Packed is the bundle that contained the files; nil for a folder.
	Packed []byte
	// Parts are the sources that Join has joined; such a source has no files of its own.
	Parts []Source
	// Label is the prefix of the paths of a part's files in messages.
	Label string
	// Shipped marks the shipped guards, if they are joined with other policies.
	Shipped bool
	// Beside are the other files, which are not used. They have content only if the
	// source is signed.
	Beside []File
	// Dangling are the broken links that are named like policies, data or folders.
	Dangling []string
	// Key verifies the signature; nil refuses a signed source.
	Key *Key
	// Taken marks a source that was verified before it was stored.
	Taken bool
}

// AsTaken returns the source without its keys, marked as verified, to be stored.
func (s Source) AsTaken() Source {
	s.Key, s.Taken, s.Parts = nil, true, slices.Clone(s.Parts)
	for i := range s.Parts {
		s.Parts[i] = s.Parts[i].AsTaken()
	}
	return s
}

// Fingerprint returns a hash of the content and of the keys that verify it.
func (s Source) Fingerprint() string {
	h := sha256.New()
	for _, p := range s.All() {
		if p.Key != nil {
			_, _ = fmt.Fprintf(h, "%q%q%q", p.Key.Text, p.Key.Algorithm, p.Key.Scope)
		}
	}
	return s.sum() + hex.EncodeToString(h.Sum(nil))
}

// ID returns the ID of the revision: the first 12 hex digits of a SHA-256 over paths
// and contents.
func (s Source) ID() string { return s.sum()[:12] }

// sum returns the SHA-256 in hex digits. For joined sources it does not depend on
// their order.
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
	for _, m := range (&Part{Source: s}).strays() { // removing one is a change
		_, _ = fmt.Fprintf(h, "stray:%q", m.Error())
	}
	if s.signatureFile() != nil {
		for _, f := range s.Beside {
			_, _ = fmt.Fprintf(h, "beside:%d:%s%d:", len(f.Path), f.Path, len(f.Content))
			_, _ = h.Write(f.Content)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// All returns the joined sources, or the source itself.
func (s Source) All() []Source {
	if len(s.Parts) == 0 {
		return []Source{s}
	}
	return s.Parts
}

// Name returns the name of a file in messages.
func (s Source) Name(file string) string { return s.Label + file }

// PartOf returns the part that contains a file, by its name in messages.
func (s Source) PartOf(name string) Source {
	for _, p := range s.All() {
		if slices.ContainsFunc(p.Files, func(f File) bool { return p.Name(f.Path) == name }) {
			return p
		}
	}
	return s
}

// Origins returns the origins of the files, by their names in messages.
func (s Source) Origins() map[string]string {
	out := map[string]string{}
	for _, p := range s.All() {
		for _, f := range p.Files {
			out[p.Name(f.Path)] = p.Origin
		}
	}
	return out
}

// IsPolicyFile reports whether a file belongs to a set of policies, by its name.
func IsPolicyFile(name string) bool {
	base := path.Base(name)
	return isDataFile(base) || base == ".manifest" || base == signaturesFile || base == ignoreFile || strings.HasSuffix(base, ".rego")
}

// isDataFile reports whether a file of that name holds data.
func isDataFile(base string) bool {
	return base == "data.json" || base == "data.yaml" || base == "data.yml"
}

// newSource returns a Source of the files.
func newSource(origin string, files []File) Source {
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return Source{Origin: origin, Files: files}
}
