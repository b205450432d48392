// Command image builds Scanflow's container image without Docker: an OCI image layout
// (https://github.com/opencontainers/image-spec/blob/main/image-layout.md) that crane or
// skopeo can push. The program, its user and its working directory are those of the
// Dockerfile. The same commit, built by the same version of Go, has the same digest.
//
// It pulls and pushes nothing, imports nothing of the product, and is not shipped. Start
// reading at build.go; program.go compiles, layers.go packs, image.go describes, layout.go
// writes.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := newImage().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		return 1
	}
	return 0
}

const help = `Builds an OCI image layout of the static program, without Docker and without a base
image. The layout has one image, or with several --arch an index of one for each. Its
time is $SOURCE_DATE_EPOCH, or that of the commit.`

func newImage() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use: "image -o DIR", Short: "Build the container image", Long: help,
		Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return build(cmd.Context(), o, cmd.OutOrStdout()) },
	}
	f := c.Flags()
	f.StringVarP(&o.dir, "output", "o", "", "folder for the layout; one that is there is replaced")
	f.StringArrayVar(&o.arches, "arch", []string{defaultArch()}, "amd64 or arm64; repeat it for an index of both")
	f.StringVar(&o.version, "version", "", "`VERSION` that scanflow --version says; absent: the commit")
	return c
}

// defaultArch is this machine's architecture, if it is supported.
func defaultArch() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "amd64"
}
