package workflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxOutput bounds the size of an output parameter in bytes.
const maxOutput = 256 << 10

// collect reads the outputs of a step that succeeded. mu is held.
func (r *run) collect(n *node, s *step) error {
	dir := r.attemptDir(n, len(s.Attempts)-1)
	var errs []error
	outputs, artifacts := map[string]string{}, map[string]string{}
	for _, p := range n.template.Outputs.Parameters {
		value, err := readOutput(artifactPath(dir, parameterDir, p.Name, p.ValueFrom.Path))
		if errors.Is(err, fs.ErrNotExist) && p.ValueFrom.Default != nil {
			value, err = string(*p.ValueFrom.Default), nil
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("it left no output parameter %s: %w", p.Name, err))
		}
		outputs[p.Name] = value
	}
	for _, a := range n.template.Outputs.Artifacts {
		path := artifactPath(dir, outDir, a.Name, a.Path)
		_, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) && a.Optional {
			path, err = "", nil
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("it left no output artifact %s: %w", a.Name, err))
		}
		artifacts[a.Name] = path
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	s.Outputs, s.Artifacts, r.dirty = outputs, artifacts, true
	return nil
}

// readOutput reads a file without the trailing newline that most programs write.
func readOutput(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, maxOutput+1))
	if err != nil {
		return "", err
	}
	if len(raw) > maxOutput {
		return "", fmt.Errorf("%s has more than %d bytes; make it an artifact", path, maxOutput)
	}
	return strings.TrimSuffix(string(raw), "\n"), nil
}

// copyFiles copies a file, or a folder recursively.
func copyFiles(ctx context.Context, from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		below, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		at := filepath.Join(to, below)
		switch {
		case e.IsDir():
			return os.MkdirAll(at, 0o700)
		case e.Type()&fs.ModeSymlink != 0 && path != from:
			return copyLink(path, at)
		}
		return copyFile(path, at)
	})
}

// copyLink copies a symbolic link.
func copyLink(from, to string) error {
	target, err := os.Readlink(from)
	if err != nil {
		return err
	}
	return os.Symlink(target, to)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is neither a file nor a folder", from)
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
