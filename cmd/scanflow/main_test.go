package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// asScanflow has the test binary be scanflow itself: for daemons that a test
// starts, signals and kills.
const asScanflow = "SCANFLOW_TEST_AS_SCANFLOW"

func TestMain(m *testing.M) {
	if os.Getenv(asScanflow) != "" {
		os.Exit(run(os.Args[1:]))
	}
	testscript.Main(m, map[string]func(){"scanflow": func() { os.Exit(run(os.Args[1:])) }})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true})
}
