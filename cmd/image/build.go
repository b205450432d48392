package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

type options struct {
	dir, version string
	arches       []string
}

// tag matches valid image tags. They need no quoting for the linker and the shell either.
var tag = regexp.MustCompile(`^\w[\w.-]{0,127}$`)

func (o options) validate() error {
	var mistakes []error
	if o.dir == "" {
		mistakes = append(mistakes, errors.New("-o: no folder is given for the image: set -o DIR"))
	}
	if o.version != "" && !tag.MatchString(o.version) {
		mistakes = append(mistakes, fmt.Errorf("--version: %q can't be an image's tag: use letters, digits, '.', '_' and '-'", o.version))
	}
	for i, arch := range o.arches {
		switch {
		case !slices.Contains([]string{"amd64", "arm64"}, arch):
			mistakes = append(mistakes, fmt.Errorf("--arch: %q is not built: set amd64 or arm64", arch))
		case slices.Contains(o.arches[:i], arch):
			mistakes = append(mistakes, fmt.Errorf("--arch: %s is given twice", arch))
		}
	}
	return errors.Join(mistakes...)
}

// build builds the image, and prints its digest and the commands to push it.
func build(ctx context.Context, o options, out io.Writer) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	if err := checkReplaceable(o.dir); err != nil {
		return err
	}
	src, err := findSource(ctx)
	if err != nil {
		return err
	}
	if o.version == "" {
		o.version = src.version()
	}
	scratch, err := os.MkdirTemp("", "scanflow-image-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	images := make([]v1.Image, 0, len(o.arches))
	for _, arch := range o.arches {
		program := filepath.Join(scratch, arch)
		if err := compile(ctx, src.root, arch, o.version, program); err != nil {
			return err
		}
		image, err := programImage(program, arch, o.version, src)
		if err != nil {
			return fmt.Errorf("image for linux/%s: %w", arch, err)
		}
		images = append(images, image)
	}
	digest, err := writeLayout(o.dir, images)
	if err != nil {
		return err
	}
	return report(out, o, src, digest)
}

func report(out io.Writer, o options, src source, digest v1.Hash) error {
	w := &strings.Builder{}
	_, _ = fmt.Fprintf(w, "%s\n", digest)
	_, _ = fmt.Fprintf(w, "%s: version %s, linux/%s, %s\n", o.dir, o.version, strings.Join(o.arches, " and linux/"), src.time.Format("2006-01-02 15:04:05 UTC"))
	if src.changed {
		_, _ = fmt.Fprintln(w, "it has changes that are not committed: its digest is not the commit's")
	}
	name := "REGISTRY/scanflow:" + o.version
	_, _ = fmt.Fprintf(w, "push it with either of\n  crane push %s %s\n  skopeo copy --all oci:%s docker://%s\n", o.dir, name, o.dir, name)
	_, err := io.WriteString(out, w.String())
	return err
}
