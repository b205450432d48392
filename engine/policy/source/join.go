package source

import (
	"regexp"
	"slices"
	"strings"
)

// ShippedLabel is the prefix of the paths of shipped guards. Paths in folders and
// bundles never contain two slashes in a row, so they can't be confused with it.
const ShippedLabel = "shipped://"

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

// libraryImport is an import of a library that ships. Its files are in the folder of its name.
var libraryImport = regexp.MustCompile(`(?m)^import data\.scanflow\.lib\.(\w+)`)

// GuardsOf returns the guards of the shipped policies and the libraries that they import.
// They also apply when an operator provides other policies. It leaves out their tests,
// which were run before the release.
func GuardsOf(shipped Source) Source {
	out := Source{Origin: Shipped, Label: ShippedLabel, Shipped: true}
	folders, taken := []string{"scanflow/guards/"}, map[string]bool{}
	for i := 0; i < len(folders); i++ {
		for _, f := range shipped.Files {
			if taken[f.Path] || !strings.HasPrefix(f.Path, folders[i]) || !strings.HasSuffix(f.Path, ".rego") || strings.HasSuffix(f.Path, "_test.rego") {
				continue
			}
			taken[f.Path] = true
			out.Files = append(out.Files, f)
			for _, m := range libraryImport.FindAllSubmatch(f.Content, -1) {
				folders = append(folders, "scanflow/lib/"+string(m[1])+"/")
			}
		}
	}
	slices.SortFunc(out.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return out
}
