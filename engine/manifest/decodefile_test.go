package manifest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

func TestReadIntoIsAsStrictAsAManifest(t *testing.T) {
	type settings struct {
		Name  string           `json:"name" required:"true"`
		Token *manifest.Secret `json:"token"`
	}
	file := filepath.Join(t.TempDir(), "settings.yaml")
	for name, c := range map[string]struct{ text, want string }{
		"good":        {"# a comment\nname: a\ntoken: {env: TOKEN}\n", ""},
		"every one":   {"nam: a\ntoken: hunter2\n", file + ":1:1: nam: unknown field; did you mean name? The fields are name, token\n" + file + ":1:1: name: is missing; set it\n" + file + ":2:1: token: must be a reference, not text; a secret is never written in a manifest: write {env: NAME}, {file: PATH} or {secretKeyRef: {name: NAME, key: KEY}}"},
		"empty":       {"# nothing\n", file + ": is empty"},
		"syntax":      {"name: [a\n", file + ":2:1: is not YAML: did not find expected ',' or ']'; check the indentation and the quotes there"},
		"two":         {"name: a\n---\nname: b\n", file + ":2:1: a second document begins here; write one"},
		"not a text":  {"name: a\x00", file + ":1:8: the control character U+0000 can't be in YAML; save the file as plain UTF-8 text"},
		"not the one": {"[a]", file + ":1:1: must be a mapping, not a list; its fields are name, token"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(file, []byte(c.text), 0o600))
			var into settings
			err := manifest.DecodeFile(file, &into)
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, settings{Name: "a", Token: &manifest.Secret{Env: "TOKEN"}}, into)
				return
			}
			require.EqualError(t, err, c.want)
		})
	}
	require.ErrorContains(t, manifest.DecodeFile(filepath.Join(t.TempDir(), "none"), &settings{}), "can't be read: no such file or directory")
}
