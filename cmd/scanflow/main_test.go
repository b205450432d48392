package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "scanflow" {
		os.Exit(run(os.Args[1:]))
	}
	testscript.Main(withCluster{m}, map[string]func(){"scanflow": func() { os.Exit(run(os.Args[1:])) }})
}

// withCluster stops the control plane that tests shared, once they have run.
type withCluster struct{ *testing.M }

// Run runs the tests.
func (m withCluster) Run() int { return testcluster.Run(m.M) }

// binary is this test binary under the name by which it is scanflow itself: for
// processes that a test starts, signals and kills, and that start others in turn.
var binary = sync.OnceValues(func() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	name := filepath.Join(filepath.Dir(self), "scanflow")
	if err := os.Link(self, name); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return name, nil
})

// command is scanflow with arguments, to be started.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	name, err := binary()
	require.NoError(t, err)
	return exec.Command(name, args...)
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true})
}
