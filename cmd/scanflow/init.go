package main

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/cmd/internal/policyrepo"
)

func newInit() *cobra.Command {
	o := policyrepo.Options{Data: defaultData}
	c := &cobra.Command{
		Use:   "init DIR",
		Short: "Write a policy repository to begin with: an agent, a strategy with tests, CI",
		Long: `Writes a policy repository into a folder, which is made if it isn't there and must be
empty (a new git clone is): agents/ with one agent in mode dry-run, policies/ with one
strategy and its tests, ci.sh and a GitHub workflow that run the checks, a README and
a .gitignore. All of it passes its own checks, and "scanflow run" on it decides at once.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Version, o.Go = installable(version()), goVersion(runtime.Version())
			names, err := policyrepo.Write(args[0], o)
			if err != nil {
				return fmt.Errorf("init: %w", err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), `%d files written to %s. Next:
  cd %s
  ./ci.sh
  scanflow run -f agents --policies policies
  scanflow decisions --limit 1      # in another terminal, in the same folder
`, len(names), plot.Line(args[0]), shellWord(args[0]))
			return err
		},
	}
	c.Flags().StringVar(&o.Name, "name", "first", "name of the agent; the strategy's package is named after it")
	return c
}

var (
	installableVersion = regexp.MustCompile(`^(v\d+\.\d+\.\d+[-.0-9A-Za-z]*|[0-9a-f]{40})$`)
	plainVersion       = regexp.MustCompile(`^go(\d+\.\d+(\.\d+)?)`)
	plainWord          = regexp.MustCompile(`^[\w./-]+$`)
)

// installable returns what "go install" can name a version by: the version itself, or latest
// for a build of changed files.
func installable(version string) string {
	if installableVersion.MatchString(version) {
		return version
	}
	return "latest"
}

// goVersion returns the version of Go for CI.
func goVersion(built string) string {
	if m := plainVersion.FindStringSubmatch(built); m != nil {
		return m[1]
	}
	return "stable"
}

// shellWord quotes a word for a shell, if it has to be.
func shellWord(word string) string {
	if plainWord.MatchString(word) && !strings.HasPrefix(word, "-") {
		return word
	}
	return "'" + strings.ReplaceAll(plot.Line(word), "'", `'\''`) + "'"
}
