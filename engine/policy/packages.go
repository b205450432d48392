package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// shippedLabel is the prefix of the paths of shipped guards. Paths in folders and
// bundles never contain two slashes in a row, so they can't be confused with it.
const shippedLabel = "shipped://"

// Shipped is the origin of the policies that are embedded in the binary.
const Shipped = "shipped"

// Join combines several sources into one, of which one revision is compiled. Each
// keeps its own manifest. No package may be in two of them. If there are several,
// the paths of each one's files begin with its origin.
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

// GuardsOf returns the guards of the shipped policies, which also apply when an
// operator provides other policies. It leaves out their tests, which were run
// before the release.
func GuardsOf(shipped Source) Source {
	out := Source{Origin: Shipped, Label: shippedLabel, Shipped: true}
	for _, f := range shipped.Files {
		if strings.HasPrefix(f.Path, "scanflow/guards/") && strings.HasSuffix(f.Path, ".rego") && !strings.HasSuffix(f.Path, "_test.rego") {
			out.Files = append(out.Files, f)
		}
	}
	return out
}

// moduleFile is a parsed module with its file and the part that contains it.
type moduleFile struct {
	file File
	part *part
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
			mistakes = append(mistakes, at(own[0].m.Package.Location, fmt.Sprintf("package %s is a guard that ships, and this is not the same", withoutData(pkg)), "pass --without-shipped-guards, so that this one binds and none that ships does; or remove it, or rename its package"))
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

// GuardInfo names a guard and its origin.
type GuardInfo struct {
	Name string // its package, without "scanflow.guards."
	// From is Shipped, or the folder, bundle or URL that contains it.
	From string
}

// GuardInfos returns the guards with their origins, sorted by name.
func (r *Revision) GuardInfos() []GuardInfo {
	out := make([]GuardInfo, len(r.guards))
	for i, g := range r.guards {
		out[i] = GuardInfo{Name: g.name, From: g.from}
	}
	return out
}

// FormatGuards formats guards with their origins as one line.
func FormatGuards(guards []GuardInfo) string {
	if len(guards) == 0 {
		return "none"
	}
	out := make([]string, len(guards))
	for i, g := range guards {
		out[i] = fmt.Sprintf("%s (%s)", g.Name, g.From)
	}
	return strings.Join(out, ", ")
}
