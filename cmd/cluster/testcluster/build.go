package testcluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine/filelock"
)

// version is the version of Kubernetes in the go.mod of testdata/controlplane. It is linked
// into the binary, because clients expect a valid /version.
const version = "1.37.2"

// Binary returns the path of the control plane's binary, and builds it if necessary. The
// build takes some 6 minutes and 3 GB of memory on 2 cores, so that the binary is cached
// in the user's cache folder (or in $SCANFLOW_CACHE), keyed by a hash of its source.
func Binary(ctx context.Context) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	source := filepath.Join(root, "testdata", "controlplane")
	key, err := hashFiles(source)
	if err != nil {
		return "", err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	lock, err := filelock.Wait(ctx, filepath.Join(cache, "controlplane.lock")) // packages' tests run side by side
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Release() }()
	path := filepath.Join(cache, "controlplane-"+key)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	flags := fmt.Sprintf("-s -w -X k8s.io/component-base/version.gitVersion=v%s -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37", version)
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", flags, "-o", path+".new", ".")
	build.Dir = source
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the control plane in testdata/controlplane: %w\n%s", err, bytes.TrimSpace(out))
	}
	return path, os.Rename(path+".new", path)
}

// hashFiles returns a hash of the files of a folder.
func hashFiles(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return "", err
	}
	slices.Sort(files)
	h := sha256.New()
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			return "", err
		}
		sum := sha256.Sum256(raw)
		_, _ = fmt.Fprintf(h, "%s %x\n", filepath.Base(f), sum)
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

func cacheDir() (string, error) {
	dir := os.Getenv("SCANFLOW_CACHE")
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find a cache folder: %w; set SCANFLOW_CACHE", err)
		}
		dir = filepath.Join(base, "scanflow")
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// moduleRoot returns the folder of the main module's go.mod, above the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if raw, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && bytes.HasPrefix(raw, []byte("module github.com/scanflow-k8s/scanflow\n")) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the test cluster is built from Scanflow's source: run this inside a checkout of it")
		}
		dir = parent
	}
}
