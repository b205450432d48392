package policy

import (
	"errors"
	"os"
	"testing"

	"github.com/open-policy-agent/opa/cmd"
)

// actAsOPA makes the test binary be stock OPA's command line, in a process of its own.
const actAsOPA = "SCANFLOW_TEST_ACT_AS_OPA"

func TestMain(m *testing.M) {
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
