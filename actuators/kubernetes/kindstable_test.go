package kubernetes

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/engine"
)

// The table of kinds and verbs in docs/kubernetes.md is made from what the tests of this package
// did on a real API server. A run of all of them compares the two; with -update it writes the table.

const (
	tablePage  = "../../docs/kubernetes.md"
	tableBegin = "<!-- kinds and verbs: `go test ./actuators/kubernetes -update` writes this table -->\n"
	tableEnd   = "<!-- end of kinds and verbs -->"
)

var updateTable = flag.Bool("update", false, "write the table of kinds and verbs into "+tablePage)

// ran has the verbs that the tests ran on each kind: whether the act was seen to be done, or was
// only written.
var ran = struct {
	sync.Mutex
	by map[schema.GroupKind]map[string]bool
}{by: map[schema.GroupKind]map[string]bool{}}

// noteRan notes an act of a test for the table.
func noteRan(c engine.Change, done bool) {
	kind, verb := kindOfChange(c), c.Primitive
	if verb == "restart" && c.With["pod"] != nil {
		verb = "restart {pod}"
	}
	ran.Lock()
	defer ran.Unlock()
	if ran.by[kind] == nil {
		ran.by[kind] = map[string]bool{}
	}
	ran.by[kind][verb] = ran.by[kind][verb] || done
}

// kindOfChange returns the kind of the object that a plan writes.
func kindOfChange(c engine.Change) schema.GroupKind {
	var plan any
	if err := json.Unmarshal(c.Data, &plan); err != nil {
		panic(err)
	}
	version, kind := writtenKind(plan)
	gv, err := schema.ParseGroupVersion(cmp.Or(version, c.Target.APIVersion))
	if err != nil {
		panic(err)
	}
	return schema.GroupKind{Group: gv.Group, Kind: cmp.Or(kind, c.Target.Kind)}
}

// writtenKind finds an object with an apiVersion and a kind in a plan.
func writtenKind(plan any) (apiVersion, kind string) {
	switch v := plan.(type) {
	case map[string]any:
		version, _ := v["apiVersion"].(string)
		if kind, _ := v["kind"].(string); version != "" && kind != "" {
			return version, kind
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if version, kind := writtenKind(v[key]); kind != "" {
				return version, kind
			}
		}
	case []any:
		for _, item := range v {
			if version, kind := writtenKind(item); kind != "" {
				return version, kind
			}
		}
	}
	return "", ""
}

// ranTable is the table, as Markdown.
func ranTable() string {
	ran.Lock()
	defer ran.Unlock()
	verbs := map[string]bool{}
	for _, on := range ran.by {
		for verb := range on {
			verbs[verb] = true
		}
	}
	columns := slices.Sorted(maps.Keys(verbs))
	var b strings.Builder
	fmt.Fprintf(&b, "| kind | `%s` |\n|---|%s\n", strings.Join(columns, "` | `"), strings.Repeat("---|", len(columns)))
	kinds := slices.SortedFunc(maps.Keys(ran.by), func(x, y schema.GroupKind) int {
		return cmp.Or(cmp.Compare(x.Group, y.Group), cmp.Compare(x.Kind, y.Kind))
	})
	for _, kind := range kinds {
		name := kind.Kind
		if kind.Group != "" {
			name += "." + kind.Group
		}
		fmt.Fprintf(&b, "| `%s` |", name)
		for _, verb := range columns {
			done, wrote := ran.by[kind][verb]
			fmt.Fprintf(&b, " %s |", map[[2]bool]string{{true, true}: "done", {true, false}: "written"}[[2]bool{wrote, done}])
		}
		b.WriteString("\n")
	}
	return b.String()
}

// checkTable compares the page with what the tests did, or updates it.
func checkTable() error {
	page, err := os.ReadFile(tablePage)
	if err != nil {
		return fmt.Errorf("the table of kinds and verbs: %w", err)
	}
	before, rest, found := bytes.Cut(page, []byte(tableBegin))
	was, after, ends := bytes.Cut(rest, []byte(tableEnd))
	if !found || !ends {
		return fmt.Errorf("%s: has no %q with %q after it", tablePage, strings.TrimSpace(tableBegin), tableEnd)
	}
	is := ranTable()
	switch {
	case string(was) == is:
		return nil
	case *updateTable:
		return os.WriteFile(tablePage, slices.Concat(before, []byte(tableBegin+is+tableEnd), after), 0o644)
	}
	return fmt.Errorf("%s: the table of kinds and verbs is not what the tests ran; `go test ./actuators/kubernetes -update` writes it:\n%s", tablePage, is)
}

// ranAll reports whether this run was of all tests.
func ranAll() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return true
}
