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
	// testParallelism is the number of tests that run at a time.
	testParallelism = 4
	// testTimeout bounds one test. It is twice that of `opa test`, because several tests
	// share one core.
	testTimeout = 10 * time.Second
)

// testProgress reports the tests that have not ended to the parent of a confined child.
type testProgress struct {
	all     int
	running map[string]bool
}

func newTestProgress(modules map[string]*ast.Module) *testProgress {
	p := &testProgress{running: map[string]bool{}}
	if !confine.Inside() {
		return p
	}
	for _, m := range modules {
		for _, rule := range m.Rules {
			if isTestRule(rule) {
				p.running[testName(m.Package.Path.String(), rule.Head.Ref()[0].String())] = true
			}
		}
	}
	p.all = len(p.running)
	return p
}

// begin reports that the tests are compiled and start to run.
func (p *testProgress) begin() {
	confine.Doing("running the tests of the policies", nextTestTimeout)
	p.report()
}

// ended records that a test has ended.
func (p *testProgress) ended(r *tester.Result) {
	if p.all == 0 {
		return
	}
	name, _, _ := strings.Cut(r.Name, "#") // OPA numbers tests of one name
	delete(p.running, testName(r.Package, name))
	confine.Doing("running the tests of the policies", nextTestTimeout)
	p.report()
}

// maxNamedTests bounds the tests that a message names.
const maxNamedTests = 3

func (p *testProgress) report() {
	if p.all == 0 {
		return
	}
	names := slices.Sorted(maps.Keys(p.running))
	if len(names) == 0 {
		confine.At("")
		return
	}
	more := ""
	if len(names) > maxNamedTests {
		names, more = names[:maxNamedTests], fmt.Sprintf(" and %d more", len(names)-maxNamedTests)
	}
	confine.At("of the tests, " + strings.Join(names, ", ") + more + " had not ended")
}

func testName(pkg, rule string) string { return strings.TrimPrefix(pkg, "data.") + "." + rule }
