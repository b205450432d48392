package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
)

// compile builds the static, stripped program like the Dockerfile does. Its bytes only depend
// on the source and the version of Go.
func compile(ctx context.Context, root, arch, version, path string) error {
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X main.release="+version, "-o", path, "./cmd/scanflow")
	c.Dir = root
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch,
		"GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=", "GOFIPS140=off", "GOFLAGS=-mod=readonly", "GOWORK=off")
	if output, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("compile for linux/%s: %w\n%s", arch, err, bytes.TrimSpace(output))
	}
	return nil
}
