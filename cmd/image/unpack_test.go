package main

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"
)

// unpack writes the layers' files to a folder, and returns their headers.
func unpack(t *testing.T, image v1.Image, root string) map[string]*tar.Header {
	t.Helper()
	layers, err := image.Layers()
	require.NoError(t, err)
	headers := map[string]*tar.Header{}
	for _, layer := range layers {
		content, err := layer.Uncompressed()
		require.NoError(t, err)
		for r := tar.NewReader(content); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			headers[h.Name] = h
			path := filepath.Join(root, h.Name)
			if h.FileInfo().IsDir() {
				require.NoError(t, os.Mkdir(path, h.FileInfo().Mode().Perm()))
				continue
			}
			data, err := io.ReadAll(r)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, data, h.FileInfo().Mode().Perm()))
		}
		require.NoError(t, content.Close())
	}
	return headers
}
