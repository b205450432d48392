package demo

import (
	"fmt"
	"strings"

	"github.com/scanflow-k8s/scanflow/deploy"
)

// DebugFiles are the values for the files of S1 in deploy/modeldebug.
type DebugFiles struct {
	// Tracker is the base URL of the tracker.
	Tracker string
	// Digits is a folder of MNIST's IDX files; "" renders digits.
	Digits string
	Seed   uint64
}

// replacer fills in the workloads.
func (d DebugFiles) replacer() *strings.Replacer {
	return strings.NewReplacer(
		`"http://127.0.0.1:5000"`, fmt.Sprintf("%q", d.Tracker),
		`{name: digits, value: ""`, fmt.Sprintf("{name: digits, value: %q", d.Digits),
		`{name: seed, value: "1"`, fmt.Sprintf("{name: seed, value: %q", fmt.Sprint(d.Seed)),
	)
}

// WriteFiles copies the files of S1 into two folders: the workloads with the tracker's address
// and the digits filled in, and the agents at the demo's pace.
func (d DebugFiles) WriteFiles(agents, workloads string) error {
	filled := d.replacer()
	if err := copyTree(deploy.FS, "modeldebug/workloads", workloads, func(raw []byte) ([]byte, error) {
		return []byte(filled.Replace(string(raw))), nil
	}); err != nil {
		return err
	}
	return copyTree(deploy.FS, "modeldebug/agents", agents, debugPace.agents)
}
