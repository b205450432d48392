package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// shippedLabel precedes the paths of guards that ship. No path of a folder or a bundle
// has two slashes in a row, so that none is taken for theirs.
const shippedLabel = "shipped://"

// Shipped is how the guards that ship, and all else that does, are told from policies of
// one's own.
const Shipped = "shipped"

// Join makes one set of several sources. Each keeps its own manifest; together they make
// one revision. No package may be in two of them. The files of each are called by its
// origin, where there are several.
func Join(sources ...Source) Source {
	if len(sources) == 1 {
		return sources[0]
	}
	var own []string
	for _, s := range sources {
		if !s.Shipped {
			own = append(own, s.Origin)
		}
	}
	out := Source{Origin: strings.Join(own, " and ")}
	for _, s := range sources {
		if !s.Shipped && len(own) > 1 {
			s.Label = strings.TrimSuffix(s.Origin, "/") + "/"
		}
		out.Parts = append(out.Parts, s)
	}
	return out
}

// GuardsOf is the part of the policies that ship which binds beside policies of one's own:
// their guards, without the tests, which were run before they were shipped.
func GuardsOf(shipped Source) Source {
	out := Source{Origin: Shipped, Label: shippedLabel, Shipped: true}
	for _, f := range shipped.Files {
		if strings.HasPrefix(f.Path, "scanflow/guards/") && strings.HasSuffix(f.Path, ".rego") && !strings.HasSuffix(f.Path, "_test.rego") {
			out.Files = append(out.Files, f)
		}
	}
	return out
}

// moduleFile is a parsed file and the part that it is of.
type moduleFile struct {
	file File
	part *part
	m    *ast.Module
}

func (f moduleFile) place() string {
	return fmt.Sprintf("%s:%d", f.m.Package.Location.File, f.m.Package.Location.Row)
}

// settleParts finds packages that are in two parts, and leaves out guards that ship of
// which a part has the same.
func settleParts(files []moduleFile) ([]moduleFile, mistake.Mistakes) {
	packages := map[string][]moduleFile{}
	for _, f := range files {
		pkg := f.m.Package.Path.String()
		packages[pkg] = append(packages[pkg], f)
	}
	var out []moduleFile
	var mistakes mistake.Mistakes
	for _, pkg := range slices.Sorted(maps.Keys(packages)) {
		in := packages[pkg]
		slices.SortFunc(in, func(a, b moduleFile) int { return strings.Compare(a.place(), b.place()) })
		own, shipped := divide(in)
		switch first, other := twoParts(own); {
		case other != nil:
			mistakes = append(mistakes, at(other.m.Package.Location, fmt.Sprintf("package %s is in %s too (%s)", short(pkg), first.part.Origin, first.place()), "a package is in one place: rename one, or take one out"))
		case len(own) == 0 || len(shipped) == 0:
			out = append(out, in...)
		case !sameFiles(own, shipped):
			mistakes = append(mistakes, at(own[0].m.Package.Location, fmt.Sprintf("package %s is a guard that ships, and this is not the same", short(pkg)), "pass --without-shipped-guards, so that this one binds and none that ships does; or remove it, or rename its package"))
		default:
			out = append(out, own...)
		}
	}
	return out, mistakes
}

func divide(in []moduleFile) (own, shipped []moduleFile) {
	for _, f := range in {
		if f.part.Shipped {
			shipped = append(shipped, f)
		} else {
			own = append(own, f)
		}
	}
	return own, shipped
}

// twoParts are files of two parts; nil where all are of one.
func twoParts(in []moduleFile) (one, other *moduleFile) {
	for i := range in {
		if in[i].part != in[0].part {
			return &in[0], &in[i]
		}
	}
	return nil, nil
}

// sameFiles reports whether files have the same contents, whatever their names.
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

func short(pkg string) string { return strings.TrimPrefix(pkg, "data.") }

// BoundGuard is a guard that binds.
type BoundGuard struct {
	Name string // its package, without "scanflow.guards."
	// From is Shipped, or the folder, the bundle or the URL that it is of.
	From string
}

// BoundGuards are the guards with where each comes from, by name.
func (r *Revision) BoundGuards() []BoundGuard {
	out := make([]BoundGuard, len(r.guards))
	for i, g := range r.guards {
		out[i] = BoundGuard{Name: g.name, From: g.from}
	}
	return out
}

// ListGuards lists guards for a person, each with where it comes from.
func ListGuards(guards []BoundGuard) string {
	if len(guards) == 0 {
		return "none"
	}
	out := make([]string, len(guards))
	for i, g := range guards {
		out[i] = fmt.Sprintf("%s (%s)", g.Name, g.From)
	}
	return strings.Join(out, ", ")
}
