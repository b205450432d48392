package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// release is set by the linker (-X main.release=v1.2.3), as in the Dockerfile: the build
// of an image has no repository to read the version from.
var release string

// version returns the release, the module's version, or the commit of the build.
func version() string { return buildOf(debug.ReadBuildInfo()).Version }

// build describes the program.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // the commit; "" if the build had no repository
	Time     string `json:"time,omitempty"`
	// Modified reports whether the files differed from those of the commit.
	Modified   bool   `json:"modified"`
	Go         string `json:"go"`
	Platform   string `json:"platform"`
	OPA        string `json:"opa"`
	Kubernetes string `json:"kubernetes"` // of client-go: v0.37 is Kubernetes 1.37
}

func buildOf(info *debug.BuildInfo, ok bool) build {
	b := build{Version: release, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if !ok {
		if b.Version == "" {
			b.Version = "unknown"
		}
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		switch dep.Path {
		case "github.com/open-policy-agent/opa":
			b.OPA = dep.Version
		case "k8s.io/client-go":
			b.Kubernetes = dep.Version
		}
	}
	if main := info.Main.Version; b.Version == "" && main != "(devel)" {
		b.Version = main
	}
	if b.Version == "" {
		b.Version = b.Revision
	}
	if b.Version == "" {
		b.Version = "devel"
	}
	return b
}

func (b build) text() string {
	orUnknown := func(text string) string {
		if text == "" {
			return "unknown"
		}
		return text
	}
	revision := orUnknown(b.Revision)
	if b.Time != "" {
		revision += " of " + b.Time
	}
	if b.Modified {
		revision += ", modified"
	}
	kubernetes := orUnknown(b.Kubernetes)
	if minor, found := strings.CutPrefix(kubernetes, "v0."); found {
		kubernetes += " (Kubernetes 1." + strings.Split(minor, ".")[0] + ")"
	}
	return fmt.Sprintf("scanflow    %s\nrevision    %s\ngo          %s %s\nopa         %s\nclient-go   %s\n", b.Version, revision, b.Go, b.Platform, orUnknown(b.OPA), kubernetes)
}

func newVersion() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print what this program was built from",
		Long: `Prints the version, the commit, and the versions of Go, of OPA, which evaluates policies,
and of Kubernetes' client. A cluster may be one minor version older or newer than that.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := buildOf(debug.ReadBuildInfo())
			if asJSON {
				return writeLine(cmd.OutOrStdout(), b)
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), b.text())
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one line of JSON")
	return c
}
