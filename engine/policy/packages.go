package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// moduleFile is a parsed module with its file and the part that contains it.
type moduleFile struct {
	file source.File
	part *source.Part
	m    *ast.Module
}

func (f moduleFile) location() string {
	return fmt.Sprintf("%s:%d", f.m.Package.Location.File, f.m.Package.Location.Row)
}

// resolvePackages reports packages that are in two parts. It leaves out a shipped
// guard if another part contains an identical copy.
func resolvePackages(files []moduleFile) ([]moduleFile, mistake.Mistakes) {
	packages := map[string][]moduleFile{}
	for _, f := range files {
		pkg := f.m.Package.Path.String()
		packages[pkg] = append(packages[pkg], f)
	}
	var out []moduleFile
	var mistakes mistake.Mistakes
	for _, pkg := range slices.Sorted(maps.Keys(packages)) {
		in := packages[pkg]
		slices.SortFunc(in, func(a, b moduleFile) int { return strings.Compare(a.location(), b.location()) })
		own, shipped := splitShipped(in)
		switch first, other := firstConflict(own); {
		case other != nil:
			mistakes = append(mistakes, at(other.m.Package.Location, fmt.Sprintf("package %s is in %s too (%s)", withoutData(pkg), first.part.Origin, first.location()), "a package is in one place: rename one, or take one out"))
		case len(own) == 0 || len(shipped) == 0:
			out = append(out, in...)
		case !sameFiles(own, shipped):
			what := "is a guard that ships"
			if _, is := packageName(own[0].m.Package.Path, guardsRoot); !is {
				what = "is a library of the guards that ship"
			}
			mistakes = append(mistakes, at(own[0].m.Package.Location, fmt.Sprintf("package %s %s, and this is not the same", withoutData(pkg), what), "pass --without-shipped-guards, so that this one binds and none that ships does; or remove it, or rename its package"))
		default:
			out = append(out, own...)
		}
	}
	return out, mistakes
}

func splitShipped(in []moduleFile) (own, shipped []moduleFile) {
	for _, f := range in {
		if f.part.Shipped {
			shipped = append(shipped, f)
		} else {
			own = append(own, f)
		}
	}
	return own, shipped
}

// firstConflict returns two files of different parts, or nil if all are in one part.
func firstConflict(in []moduleFile) (one, other *moduleFile) {
	for i := range in {
		if in[i].part != in[0].part {
			return &in[0], &in[i]
		}
	}
	return nil, nil
}

// sameFiles reports whether two lists of files have the same contents, regardless
// of their names.
func sameFiles(a, b []moduleFile) bool {
	contents := func(in []moduleFile) []string {
		var out []string
		for _, f := range in {
			out = append(out, string(f.file.Content))
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(contents(a), contents(b))
}

func withoutData(pkg string) string { return strings.TrimPrefix(pkg, "data.") }
