package demo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// programDir has the program that runs the workloads.
var programDir string

func TestMain(m *testing.M) {
	var err error
	if programDir, err = os.MkdirTemp("", "scanflow-demo-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := testcluster.Run(m)
	_ = os.RemoveAll(programDir)
	os.Exit(status)
}

// program builds this checkout's program once.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(programDir, "scanflow")
	out, err := exec.Command("go", "build", "-o", path, "github.com/scanflow-k8s/scanflow/cmd/scanflow").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
})

// said logs the output of a scenario for failed tests.
type said struct{ t *testing.T }

func (s said) Write(p []byte) (int, error) {
	s.t.Logf("%s", p)
	return len(p), nil
}

// shortForm returns the options of a short run.
func shortForm(t *testing.T, speed float64) Options {
	t.Helper()
	self, err := program()
	require.NoError(t, err)
	return Options{
		Out: said{t}, Speed: speed, Dir: t.TempDir(), Plot: filepath.Join(t.TempDir(), "plot.svg"), Seed: 1, Self: self,
		Log: hclog.New(&hclog.LoggerOptions{Level: hclog.Error}),
	}
}

// after calls a function when a text is printed.
type after struct {
	text string
	call func()
}

func (a after) Write(p []byte) (int, error) {
	if strings.Contains(string(p), a.text) {
		a.call()
	}
	return len(p), nil
}
