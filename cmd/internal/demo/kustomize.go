package demo

import (
	"fmt"
	"io/fs"
	"path"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/scanflow-k8s/scanflow/deploy"
)

// kustomizeBuild returns the output of `kubectl kustomize deploy/DIR` for a shipped folder,
// after applying a function to each file.
func kustomizeBuild(dir string, change func(name string, raw []byte) []byte) ([]*resource.Resource, error) {
	shipped := filesys.MakeFsInMemory()
	if err := fs.WalkDir(deploy.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(deploy.FS, name)
		if err != nil {
			return err
		}
		return shipped.WriteFile(path.Join("/", name), change(name, raw))
	}); err != nil {
		return nil, err
	}
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(shipped, path.Join("/", dir))
	if err != nil {
		return nil, fmt.Errorf("kustomize deploy/%s: %w", dir, err)
	}
	return made.Resources(), nil
}
