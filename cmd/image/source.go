package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// source is the checkout that the image is built from.
type source struct {
	root    string
	commit  string // "" without a repository
	changed bool   // files differ from the commit
	time    time.Time
}

func (s source) version() string {
	switch {
	case s.commit == "":
		return "unreleased"
	case s.changed:
		return s.commit[:12] + "-changed"
	}
	return s.commit[:12]
}

// findSource describes the checkout around the working directory.
func findSource(ctx context.Context) (source, error) {
	gomod, err := output(ctx, "", "go", "env", "GOMOD")
	if err != nil {
		return source{}, err
	}
	raw, err := os.ReadFile(gomod)
	if err != nil || !bytes.HasPrefix(raw, []byte("module github.com/scanflow-k8s/scanflow\n")) {
		return source{}, errors.New("the image is built from Scanflow's source: run this inside a checkout of it")
	}
	s := source{root: filepath.Dir(gomod)}
	var committed string
	if commit, err := output(ctx, s.root, "git", "log", "-1", "--format=%H %ct"); err == nil {
		s.commit, committed, _ = strings.Cut(commit, " ")
		status, err := output(ctx, s.root, "git", "status", "--porcelain")
		if err != nil {
			return source{}, err
		}
		s.changed = status != ""
	}
	s.time, err = imageTime(os.Getenv("SOURCE_DATE_EPOCH"), committed)
	return s, err
}

// imageTime is the time of everything in the image
// (https://reproducible-builds.org/specs/source-date-epoch/).
func imageTime(epoch, committed string) (time.Time, error) {
	seconds := epoch
	if seconds == "" {
		seconds = committed
	}
	if seconds == "" {
		return time.Time{}, errors.New("there is no commit to take the image's time from: set SOURCE_DATE_EPOCH to seconds since 1970")
	}
	n, err := strconv.ParseUint(seconds, 10, 32)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %q are no seconds since 1970", seconds)
	}
	return time.Unix(int64(n), 0).UTC(), nil
}

func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(bytes.TrimSpace(out)), nil
}
