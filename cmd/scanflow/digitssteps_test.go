package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/corrupt"
)

func TestTheHeldOutDigitsOfAFileAreThoseThatEvaluateMakes(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{"a.zip", "b.zip"} {
		out, code := scanflow(t, "digits", "drifted", "--count=10", "--seed=3", "-o", filepath.Join(dir, file))
		require.Equal(t, 0, code, out)
		require.Contains(t, out, "2000 held-out digits, drifted by "+corrupt.DefaultMix().String()+" (rendered)")
		require.Contains(t, out, "█", "a person sees some")
	}
	a, err := loadSet(filepath.Join(dir, "a.zip"))
	require.NoError(t, err)
	b, err := loadSet(filepath.Join(dir, "b.zip"))
	require.NoError(t, err)
	require.Equal(t, a, b)
	parts, err := digits.Source{Seed: 3, Count: 10}.Load()
	require.NoError(t, err)
	sets, err := (&heldOutFlags{drift: corrupt.DefaultMix().String()}).sets(parts.Held, 3)
	require.NoError(t, err)
	require.Equal(t, sets.Drifted, a)
}

func TestStepsOfTheDigitsSayWhatTheyMiss(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "nothing.zip")
	for name, c := range map[string]struct {
		args string
		want string
	}{
		"no tracker":                  {"publish", "MLFLOW_TRACKING_URI is not set"},
		"no purpose":                  {"load-data", `--for: "" is neither detect nor retrain`},
		"another purpose":             {"load-data --for=train", `--for: "train" is neither detect nor retrain`},
		"detect without a time":       {"load-data --for=detect -o " + file, "--for detect: wants --until-ms"},
		"retrain without files":       {"load-data --for=retrain --base " + file, "--for retrain: wants --base FILE, --picked FILE and --test FILE"},
		"detect without files":        {"detect", `required flag(s) "data", "output" not set`},
		"pick without a time":         {"pick-data --data " + file, `required flag(s) "until-ms" not set`},
		"train without files":         {"train --data " + file, "wants --extra, --test and --candidate"},
		"train two ways at once":      {"train --data " + file + " --count 10", "[count data]"},
		"evaluate without files":      {"evaluate", `required flag(s) "candidate", "test" not set`},
		"a candidate that isn't":      {"evaluate --candidate " + file + " --test " + file, "load candidate"},
		"a drift that isn't":          {"drifted --drift=upside-down:3=1 -o " + file, `no corruption "upside-down"`},
		"digits that aren't":          {"drifted --digits=" + dir + " -o " + file, "has no MNIST files"},
		"a model that isn't":          {"serve --model " + file, "scanflow digits train"},
		"a version without a tracker": {"serve --model models:/digits/1", "MLFLOW_TRACKING_URI is not set"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := command(t, append([]string{"digits"}, strings.Fields(c.args)...)...)
			cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
			out, err := cmd.CombinedOutput()
			require.Error(t, err)
			require.Contains(t, string(out), c.want)
		})
	}
	w := newWorkshop(t)
	out, err := w.step("serve", "--model=models:/digits").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "models:/NAME/VERSION or models:/NAME@ALIAS")
	out, err = w.step("serve", "--model=models:/digits/1").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "find models:/digits/1")
}
