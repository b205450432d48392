package processnode

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// VolumeVariable returns the name of the environment variable for a volume's folder.
func VolumeVariable(volume string) string {
	return "SCANFLOW_VOLUME_" + strings.ToUpper(strings.ReplaceAll(volume, "-", "_"))
}

// volumeKind returns the kind of a volume; "" if it is unsupported.
func volumeKind(v *corev1.Volume) string {
	switch {
	case v.EmptyDir != nil:
		return "emptyDir"
	case v.ConfigMap != nil:
		return configMap
	case v.Secret != nil:
		return secret
	case v.Projected != nil && strings.HasPrefix(v.Name, "kube-api-access-"):
		return "token" // added to every pod by the API server, and ignored here
	}
	return ""
}

// volumes creates the folders of the volumes, and returns their variables.
func (r *podRunner) volumes(src *configSources, all []corev1.Volume) ([]corev1.EnvVar, error) {
	var out []corev1.EnvVar
	var errs []error
	for _, v := range all {
		kind := volumeKind(&v)
		if kind == "token" {
			continue
		}
		folder := filepath.Join(r.dir, volumesDir, v.Name)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, fmt.Errorf("make the folder of volume %s: %w", v.Name, err)
		}
		var err error
		switch kind {
		case configMap:
			err = src.project(kind, v.ConfigMap.Name, v.ConfigMap.Items, v.ConfigMap.Optional, folder)
		case secret:
			err = src.project(kind, v.Secret.SecretName, v.Secret.Items, v.Secret.Optional, folder)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("volume %s: %w", v.Name, err))
		}
		out = append(out, literalVar(VolumeVariable(v.Name), folder))
	}
	return out, errors.Join(errs...)
}

// project writes the entries of an object as files; only those in items, if there are any.
func (s *configSources) project(kind, name string, items []corev1.KeyToPath, optional *bool, folder string) error {
	data, err := s.get(kind, name, optional)
	if err != nil || data == nil {
		return err
	}
	if len(items) == 0 {
		for key := range data {
			items = append(items, corev1.KeyToPath{Key: key, Path: key})
		}
	}
	for _, item := range items {
		raw, ok := data[item.Key]
		if !ok {
			if optional != nil && *optional {
				continue
			}
			return fmt.Errorf("%s %s has no key %q", kind, name, item.Key)
		}
		if !filepath.IsLocal(item.Path) {
			return fmt.Errorf("the path %q of %s %s leaves the volume", item.Path, kind, name)
		}
		file := filepath.Join(folder, item.Path)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			return err
		}
	}
	return nil
}
