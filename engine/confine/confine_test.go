package confine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/confine"
)

// TestMain is also what a confined child of these tests runs.
func TestMain(m *testing.M) {
	if err := confine.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if confine.Inside() {
		os.Exit(act(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// sink keeps what a child allocates.
var sink [][]byte

// act is the function that a child runs.
func act(args []string) int {
	confine.Doing("acting as "+args[0], time.Minute)
	switch args[0] {
	case "echo":
		_, _ = io.Copy(os.Stdout, os.Stdin)
		fmt.Fprintln(os.Stderr, "a remark")
		fmt.Fprintln(os.Stderr, "panic: a word, and no death")
	case "status":
		confine.Finish()
		return 7
	case "cores":
		fmt.Print(runtime.GOMAXPROCS(0))
	case "spin":
		confine.Doing("spinning", 200*time.Millisecond)
		for n := 0; n >= 0; n++ { // for years
			runtime.KeepAlive(n)
		}
	case "wait":
		confine.Doing("waiting", time.Hour)
		fmt.Println(os.Getpid())
		select {}
	case "grow":
		confine.Doing("growing", time.Minute)
		for {
			sink = append(sink, bytes.Repeat([]byte("x"), 1<<20))
		}
	case "leap":
		sink = append(sink, make([]byte, 8<<30))
	case "panic":
		confine.At("policy.rego:3")
		panic("all is lost")
	case "recurse":
		return recurse(1)
	case "fork":
		err := confine.Child{Args: []string{"wait"}, Stdout: os.Stdout}.Run(context.Background())
		fmt.Println(err)
	}
	confine.Finish()
	return 0
}

func recurse(n int) int {
	if n < 0 { // after years
		return 0
	}
	return recurse(n+1) + n
}

func TestAChildThatEndsIsHeard(t *testing.T) {
	var out, errOut bytes.Buffer
	require.NoError(t, confine.Child{Args: []string{"echo"}, Stdin: strings.NewReader("hello"), Stdout: &out, Stderr: &errOut}.Run(t.Context()))
	require.Equal(t, "hello", out.String())
	require.Equal(t, "a remark\npanic: a word, and no death\n", errOut.String())

	var exit *exec.ExitError
	require.ErrorAs(t, confine.Child{Args: []string{"status"}}.Run(t.Context()), &exit)
	require.Equal(t, 7, exit.ExitCode())

	out.Reset()
	require.NoError(t, confine.Child{Args: []string{"cores"}, Stdout: &out}.Run(t.Context()))
	require.Equal(t, "1", out.String())
}

func TestAChildThatGoesOverALimitIsKilledAndNamed(t *testing.T) {
	for name, c := range map[string]struct {
		child confine.Child
		cause confine.Cause
		says  string
	}{
		"time of a step":        {confine.Child{Args: []string{"spin"}}, confine.OverTime, "spinning took longer than 200ms and was stopped"},
		"time in all":           {confine.Child{Args: []string{"wait"}, Whole: 500 * time.Millisecond}, confine.OverTime, "waiting took longer than 500ms in all"},
		"memory, bit by bit":    {confine.Child{Args: []string{"grow"}, Memory: 256 << 20}, confine.OverMemory, "growing needed more than 256 MiB of memory"},
		"memory, at once":       {confine.Child{Args: []string{"leap"}, Memory: 256 << 20}, confine.OverMemory, "acting as leap needed more than 256 MiB"},
		"a panic":               {confine.Child{Args: []string{"panic"}}, confine.Died, "acting as panic ended the process: panic: all is lost"},
		"recursion without end": {confine.Child{Args: []string{"recurse"}, Memory: 256 << 20}, "", "acting as recurse"},
	} {
		t.Run(name, func(t *testing.T) {
			if raceDetected && c.child.Memory > 0 {
				t.Skip("the race detector takes more memory than that, and ends the child itself")
			}
			var errOut bytes.Buffer
			c.child.Stderr = &errOut
			err := c.child.Run(t.Context())
			var ended *confine.Error
			require.ErrorAs(t, err, &ended)
			if c.cause != "" {
				require.Equal(t, c.cause, ended.Cause, err)
			}
			require.Contains(t, err.Error(), c.says)
			require.Empty(t, errOut.String(), "what Go's runtime says as it dies is not for the reader")
			if name == "a panic" {
				require.Equal(t, "policy.rego:3", ended.At)
			}
		})
	}
}

func TestAChildEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := &firstLine{got: make(chan string, 1)}
	ended := make(chan error, 1)
	go func() { ended <- confine.Child{Args: []string{"wait"}, Stdout: out}.Run(ctx) }()
	pid, err := strconv.Atoi(<-out.got)
	require.NoError(t, err)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
}

func TestAChildEndsWithItsParent(t *testing.T) {
	out := &firstLine{got: make(chan string, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- confine.Child{Args: []string{"fork"}, Stdout: out, Memory: 1 << 30}.Run(ctx) }()
	pid, err := strconv.Atoi(<-out.got)
	require.NoError(t, err)
	cancel() // kills the parent of the one that waits
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Eventually(t, func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid) }, 10*time.Second, 5*time.Millisecond)
}

// zombie reports whether a process has ended, and nobody has collected its status yet.
func zombie(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(raw), ") Z ")
}

func TestTheVariableIsNotForOthers(t *testing.T) {
	c := exec.Command(os.Args[0], "-test.run", "^$")
	c.Env = append(os.Environ(), "SCANFLOW_CONFINED=1000")
	out, err := c.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "unset it")
}

// firstLine hands over the first line that is written to it.
type firstLine struct {
	got  chan string
	text string
	said bool
}

// Write is part of io.Writer.
func (f *firstLine) Write(p []byte) (int, error) {
	f.text += string(p)
	if line, _, whole := strings.Cut(f.text, "\n"); whole && !f.said {
		f.said = true
		f.got <- line
	}
	return len(p), nil
}
