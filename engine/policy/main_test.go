package policy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/open-policy-agent/opa/cmd"

	"github.com/scanflow-k8s/scanflow/engine/confine"
)

// actAsOPA makes the test binary be stock OPA's command line, in a process of its own.
const actAsOPA = "SCANFLOW_TEST_ACT_AS_OPA"

func TestMain(m *testing.M) {
	if err := confine.Enter(); err != nil {
		panic(err)
	}
	if confine.Inside() { // a judge of these tests
		if err := ServeJudge(context.Background(), os.Stdin, os.Stdout); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			confine.Finish()
			os.Exit(1)
		}
		confine.Finish()
		os.Exit(0)
	}
	if os.Getenv(actAsOPA) != "" {
		var exit *cmd.ExitError
		err := cmd.Command(nil, "OPA").Execute()
		switch {
		case errors.As(err, &exit):
			os.Exit(exit.Exit)
		case err != nil:
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
