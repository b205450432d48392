package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// group makes a command that has only subcommands refuse an unknown one. By default
// cobra prints the help and exits with status 0.
func group(c *cobra.Command) *cobra.Command {
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return fmt.Errorf("unknown command %q for %q; see %s --help", args[0], cmd.CommandPath(), cmd.CommandPath())
	}
	return c
}

// defaultData is the default of --data, the folder of the journal.
const defaultData = ".scanflow"

// logFlags are --log-level and --log-format.
type logFlags struct{ level, format string }

func (l *logFlags) add(c *cobra.Command, level string) {
	c.Flags().StringVar(&l.level, "log-level", level, "trace, debug, info, warn, error or off")
	c.Flags().StringVar(&l.format, "log-format", "text", "text or json")
	completeFlag(c, "log-level", words("trace", "debug", "info", "warn", "error", "off"))
	completeFlag(c, "log-format", words("text", "json"))
}

// logger writes to standard error.
func (l *logFlags) logger() (hclog.Logger, error) {
	level := hclog.LevelFromString(l.level)
	if level == hclog.NoLevel {
		return nil, fmt.Errorf("--log-level: %q is none of trace, debug, info, warn, error, off", l.level)
	}
	if l.format != "text" && l.format != "json" {
		return nil, fmt.Errorf("--log-format: %q is neither text nor json", l.format)
	}
	return newLog(hclog.LoggerOptions{Name: "scanflow", Level: level, JSONFormat: l.format == "json", Output: os.Stderr}), nil
}

// listFlag declares a flag that takes a comma-separated list and may be repeated. short is
// its one-letter form, or "".
func listFlag(f *pflag.FlagSet, to *[]string, name, short, usage string) {
	f.StringSliceVarP(to, name, short, nil, usage)
	flag := f.Lookup(name)
	flag.Value, flag.DefValue = listValue{flag.Value}, "" // or the help would show a default of []
}

// listValue is the value of a list flag. It refuses line breaks and empty words: pflag
// would ignore an empty value and all lines but the first.
type listValue struct{ pflag.Value }

// Set is part of pflag.Value.
func (l listValue) Set(text string) error {
	if strings.ContainsAny(text, "\r\n") {
		return errors.New("has more than one line; write one, with commas")
	}
	if err := l.Value.Set(text); err != nil {
		return err
	}
	if words, is := l.Value.(pflag.SliceValue); text == "" || is && slices.Contains(words.GetSlice(), "") {
		return errors.New("has an empty word; write one, or leave the flag out")
	}
	return nil
}

// inputFlags are the manifests and policies that most commands read.
type inputFlags struct {
	policyFlags
	manifests []string
}

func (i *inputFlags) add(c *cobra.Command, manifestsUse string) {
	listFlag(c.Flags(), &i.manifests, "file", "f", manifestsUse)
	i.policyFlags.add(c.Flags())
}

var errNoManifests = errors.New("no agents given: pass -f with a manifest, or a folder of them")
