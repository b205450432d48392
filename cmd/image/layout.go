package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// checkReplaceable refuses a folder whose content is not an image layout, because it would be
// deleted.
func checkReplaceable(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("-o: %w", err)
	case len(entries) == 0:
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil {
		return fmt.Errorf("-o: %s has files and is no image layout: name another folder, or remove it", dir)
	}
	return nil
}

// writeLayout writes the layout next to dir, and moves it there when it is complete. It
// returns the digest of the image, or of the index of several.
func writeLayout(dir string, images []v1.Image) (digest v1.Hash, err error) {
	dir = filepath.Clean(dir)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return v1.Hash{}, err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".new-")
	if err != nil {
		return v1.Hash{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }() // it does not exist after a success
	if err := os.Chmod(temp, 0o755); err != nil {
		return v1.Hash{}, err
	}
	path, err := layout.Write(temp, empty.Index)
	if err != nil {
		return v1.Hash{}, err
	}
	if digest, err = appendImages(path, images); err != nil {
		return v1.Hash{}, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return v1.Hash{}, err
	}
	return digest, os.Rename(temp, dir)
}

func appendImages(path layout.Path, images []v1.Image) (v1.Hash, error) {
	if len(images) == 1 {
		platform, err := platformOf(images[0])
		if err != nil {
			return v1.Hash{}, err
		}
		if err := path.AppendImage(images[0], layout.WithPlatform(platform)); err != nil {
			return v1.Hash{}, err
		}
		return images[0].Digest()
	}
	var index v1.ImageIndex = empty.Index
	for _, image := range images {
		platform, err := platformOf(image)
		if err != nil {
			return v1.Hash{}, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	if err := path.AppendIndex(index); err != nil {
		return v1.Hash{}, err
	}
	return index.Digest()
}

func platformOf(image v1.Image) (v1.Platform, error) {
	config, err := image.ConfigFile()
	if err != nil {
		return v1.Platform{}, err
	}
	return v1.Platform{OS: config.OS, Architecture: config.Architecture}, nil
}
