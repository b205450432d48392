package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/scanflow-k8s/scanflow/engine/confine"
)

const (
	// testsAtOnce is how many tests run at a time.
	testsAtOnce = 4
	// testWithin bounds one test that heeds its deadline: twice what stock OPA gives it,
	// since several share one core.
	testWithin = 10 * time.Second
)

// testProgress tells the parent of a confined child which tests have not ended yet.
type testProgress struct {
	all  int
	open map[string]bool
}

func newTestProgress(modules map[string]*ast.Module) *testProgress {
	p := &testProgress{open: map[string]bool{}}
	if !confine.Inside() {
		return p
	}
	for _, m := range modules {
		for _, rule := range m.Rules {
			if isTestRule(rule) {
				p.open[testName(m.Package.Path.String(), rule.Head.Ref()[0].String())] = true
			}
		}
	}
	p.all = len(p.open)
	return p
}

// begin says that the tests are compiled, and run from now on.
func (p *testProgress) begin() {
	confine.Doing("running the tests of the policies", nextTestWithin)
	p.tell()
}

// ended notes that a test has ended.
func (p *testProgress) ended(r *tester.Result) {
	if p.all == 0 {
		return
	}
	name, _, _ := strings.Cut(r.Name, "#") // OPA numbers those of one name
	delete(p.open, testName(r.Package, name))
	confine.Doing("running the tests of the policies", nextTestWithin)
	p.tell()
}

// namedTests is how many tests a message names.
const namedTests = 3

func (p *testProgress) tell() {
	if p.all == 0 {
		return
	}
	names := slices.Sorted(maps.Keys(p.open))
	if len(names) == 0 {
		confine.At("") // what comes next is no test's doing
		return
	}
	more := ""
	if len(names) > namedTests {
		names, more = names[:namedTests], fmt.Sprintf(" and %d more", len(names)-namedTests)
	}
	confine.At("of the tests, " + strings.Join(names, ", ") + more + " had not ended")
}

func testName(pkg, rule string) string { return strings.TrimPrefix(pkg, "data.") + "." + rule }
