package source

import (
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

// GuardsOf returns the guards of the shipped policies, which also apply when an
// operator provides other policies. It leaves out their tests, which were run
// before the release.
func GuardsOf(shipped Source) Source {
	out := Source{Origin: Shipped, Label: ShippedLabel, Shipped: true}
	for _, f := range shipped.Files {
		if strings.HasPrefix(f.Path, "scanflow/guards/") && strings.HasSuffix(f.Path, ".rego") && !strings.HasSuffix(f.Path, "_test.rego") {
			out.Files = append(out.Files, f)
		}
	}
	return out
}
