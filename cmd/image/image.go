package main

import (
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// programImage makes the image of a program for one architecture. Its config matches the
// Dockerfile, and has the labels of the image spec.
func programImage(program, arch, version string, src source) (v1.Image, error) {
	base, err := baseLayer(src.time)
	if err != nil {
		return nil, err
	}
	own, err := programLayer(program, src.time)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	created := v1.Time{Time: src.time}
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{
		OS: "linux", Architecture: arch, Created: created,
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			User:       fmt.Sprintf("%d:%d", nobody, nobody),
			WorkingDir: "/work",
			Env:        []string{"PATH=/"},
			Entrypoint: []string{"/scanflow"},
			Labels:     labels(version, src),
		},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(image,
		mutate.Addendum{Layer: base, MediaType: types.OCILayer, History: v1.History{Created: created, CreatedBy: "certificates and /work"}},
		mutate.Addendum{Layer: own, MediaType: types.OCILayer, History: v1.History{Created: created, CreatedBy: "go build ./cmd/scanflow"}},
	)
}

// labels have the keys of
// https://github.com/opencontainers/image-spec/blob/main/annotations.md.
func labels(version string, src source) map[string]string {
	l := map[string]string{
		"org.opencontainers.image.title":    "scanflow",
		"org.opencontainers.image.version":  version,
		"org.opencontainers.image.licenses": "Apache-2.0",
	}
	if src.commit != "" && !src.changed {
		l["org.opencontainers.image.revision"] = src.commit
	}
	return l
}
