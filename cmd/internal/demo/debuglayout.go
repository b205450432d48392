package demo

import (
	"fmt"
	"strings"

	"github.com/scanflow-k8s/scanflow/deploy"
)

// Debugging says what S1's files are filled in with; deploy/modeldebug has them.
type Debugging struct {
	// Tracker is the base URL of the tracker.
	Tracker string
	// Digits is a folder of MNIST's IDX files; "" renders digits.
	Digits string
	Seed   uint64
}

// filled fills the workloads in.
func (d Debugging) filled() *strings.Replacer {
	return strings.NewReplacer(
		`"http://127.0.0.1:5000"`, fmt.Sprintf("%q", d.Tracker),
		`{name: digits, value: ""`, fmt.Sprintf("{name: digits, value: %q", d.Digits),
		`{name: seed, value: "1"`, fmt.Sprintf("{name: seed, value: %q", fmt.Sprint(d.Seed)),
	)
}

// LayOut copies S1's files into two folders: the workloads with the tracker's address
// and the digits filled in, and the agents at the demo's pace.
func (d Debugging) LayOut(agents, workloads string) error {
	filled := d.filled()
	if err := copyTree(deploy.FS, "modeldebug/workloads", workloads, func(raw []byte) ([]byte, error) {
		return []byte(filled.Replace(string(raw))), nil
	}); err != nil {
		return err
	}
	return copyTree(deploy.FS, "modeldebug/agents", agents, debugPace.agents)
}
