package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/require"
)

// Two builds have the same digest. The image has a program that runs and prints its version,
// certificates, a folder for its user, and the right config.
func TestImage(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	dir := filepath.Join(t.TempDir(), "image")
	o := options{dir: dir, version: "v1.2.3", arches: []string{defaultArch()}}
	var first, second bytes.Buffer
	require.NoError(t, build(t.Context(), o, &first))
	require.NoError(t, build(t.Context(), o, &second))
	require.Equal(t, first.String(), second.String())

	image := only(t, dir)
	require.NoError(t, validate.Image(image))
	digest, err := image.Digest()
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(first.String(), digest.String()+"\n"), first.String())
	require.Contains(t, first.String(), "crane push "+dir+" REGISTRY/scanflow:v1.2.3\n")

	config, err := image.ConfigFile()
	require.NoError(t, err)
	require.Equal(t, time.Unix(1700000000, 0).UTC(), config.Created.UTC())
	require.Equal(t, []string{"linux", defaultArch()}, []string{config.OS, config.Architecture})
	require.Equal(t, "65532:65532", config.Config.User)
	require.Equal(t, "/work", config.Config.WorkingDir)
	require.Equal(t, []string{"PATH=/"}, config.Config.Env)
	require.Equal(t, []string{"/scanflow"}, config.Config.Entrypoint)
	require.Empty(t, config.Config.Cmd)
	require.Equal(t, "v1.2.3", config.Config.Labels["org.opencontainers.image.version"])
	mediaType, err := image.MediaType()
	require.NoError(t, err)
	require.Equal(t, types.OCIManifestSchema1, mediaType)

	root := t.TempDir()
	headers := unpack(t, image, root)
	require.Equal(t, []int{nobody, nobody}, []int{headers["work/"].Uid, headers["work/"].Gid})
	for name, h := range headers {
		require.Equal(t, int64(1700000000), h.ModTime.Unix(), name)
	}
	roots, err := os.ReadFile(filepath.Join(root, "etc/ssl/certs/ca-certificates.crt"))
	require.NoError(t, err)
	block, _ := pem.Decode(roots)
	require.NotNil(t, block)
	require.True(t, x509.NewCertPool().AppendCertsFromPEM(roots))
	require.Greater(t, bytes.Count(roots, []byte("BEGIN CERTIFICATE")), 100)

	if runtime.GOOS != "linux" {
		t.Skip("the program is for Linux")
	}
	require.Equal(t, "scanflow version v1.2.3\n", says(t, root, "--version"))
	require.Contains(t, says(t, root, "check", "-f", "deploy/local/autoscale", "--workloads", "deploy/local/autoscale/workloads"), "ok: 1 agents")
}

// says runs the unpacked program in the checkout, without this process's environment.
func says(t *testing.T, root string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), filepath.Join(root, "scanflow"), args...)
	c.Dir, c.Env = filepath.Join("..", ".."), []string{"PATH=/", "HOME=" + t.TempDir()}
	said, err := c.CombinedOutput()
	require.NoError(t, err, string(said))
	return string(said)
}

// Images of two architectures are in one index, and the layout has nothing else.
func TestIndex(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(program, []byte("a program"), 0o755))
	var images []v1.Image
	for _, arch := range []string{"amd64", "arm64"} {
		image, err := programImage(program, arch, "v1", source{time: time.Unix(1, 0)})
		require.NoError(t, err)
		images = append(images, image)
	}
	t.Chdir(t.TempDir())
	digest, err := writeLayout("image", images)
	require.NoError(t, err)
	index, err := layout.ImageIndexFromPath("image")
	require.NoError(t, err)
	require.NoError(t, validate.Index(index))
	outer, err := index.IndexManifest()
	require.NoError(t, err)
	require.Len(t, outer.Manifests, 1)
	require.Equal(t, digest, outer.Manifests[0].Digest)
	inner, err := index.ImageIndex(digest)
	require.NoError(t, err)
	manifest, err := inner.IndexManifest()
	require.NoError(t, err)
	var platforms []string
	for _, m := range manifest.Manifests {
		platforms = append(platforms, m.Platform.String())
	}
	require.Equal(t, []string{"linux/amd64", "linux/arm64"}, platforms)
	left, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Len(t, left, 1, "what was written beside it is left")
}

// Invalid options are refused before anything is compiled or replaced.
func TestRefused(t *testing.T) {
	full := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(full, "thesis.txt"), nil, 0o644))
	file := filepath.Join(full, "thesis.txt")
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no folder":          {nil, "-o: no folder is given"},
		"an empty folder":    {[]string{"-o", ""}, "-o: no folder is given"},
		"a folder in use":    {[]string{"-o", full}, "has files and is no image layout"},
		"a file":             {[]string{"-o", file}, "-o: "},
		"an architecture":    {[]string{"-o", "x", "--arch", "riscv64"}, `--arch: "riscv64" is not built`},
		"an empty one":       {[]string{"-o", "x", "--arch", ""}, `--arch: "" is not built`},
		"two in one":         {[]string{"-o", "x", "--arch", "amd64,arm64"}, `--arch: "amd64,arm64" is not built: set amd64 or arm64`},
		"one twice":          {[]string{"-o", "x", "--arch", "amd64", "--arch", "amd64"}, "--arch: amd64 is given twice"},
		"a version of words": {[]string{"-o", "x", "--version", "v1 -X main.x=y"}, "--version: "},
		"an argument":        {[]string{"-o", "x", "y"}, "unknown command"},
		"an unknown flag":    {[]string{"-o", "x", "--push"}, "unknown flag: --push"},
	} {
		t.Run(name, func(t *testing.T) {
			command := newImage()
			command.SetArgs(append([]string{}, c.args...)) // nil would be those of the test
			command.SetOut(&bytes.Buffer{})
			require.ErrorContains(t, command.ExecuteContext(t.Context()), c.says)
		})
	}
	require.FileExists(t, file)
}

func TestImageTime(t *testing.T) {
	for _, c := range []struct {
		epoch, committed string
		unix             int64
		says             string
	}{
		{"5", "7", 5, ""}, {"", "7", 7, ""}, {"0", "", 0, ""},
		{"", "", 0, "set SOURCE_DATE_EPOCH"}, {"-1", "7", 0, `SOURCE_DATE_EPOCH: "-1"`}, {"today", "7", 0, `SOURCE_DATE_EPOCH: "today"`}, {"99999999999", "", 0, "SOURCE_DATE_EPOCH"},
	} {
		at, err := imageTime(c.epoch, c.committed)
		if c.says != "" {
			require.ErrorContains(t, err, c.says)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.unix, at.Unix())
	}
}

// The Dockerfile has the same program, user, working directory and files.
func TestAgreesWithDockerfile(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "Dockerfile"))
	require.NoError(t, err)
	_, last, found := strings.Cut(string(raw), "\nFROM scratch\n")
	require.True(t, found)
	for _, line := range []string{"ENV PATH=/", "WORKDIR /work", "USER 65532:65532", `ENTRYPOINT ["/scanflow"]`} {
		require.Contains(t, last, "\n"+line+"\n")
	}
	require.Contains(t, string(raw), `CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.release=${VERSION}"`)
	program := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(program, nil, 0o755))
	image, err := programImage(program, "amd64", "v1", source{})
	require.NoError(t, err)
	packed := unpack(t, image, t.TempDir())
	for _, m := range regexp.MustCompile(`(?m)^COPY .* /(\S+)$`).FindAllStringSubmatch(last, -1) {
		_, file := packed[m[1]]
		_, folder := packed[m[1]+"/"]
		require.True(t, file || folder, "%s is not in the image", m[1])
	}
}

// The libraries that build the image are not in the product.
func TestNotShipped(t *testing.T) {
	deps, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "../scanflow").Output()
	require.NoError(t, err)
	require.NotContains(t, string(deps), "go-containerregistry")
	require.NotContains(t, string(deps), "x509roots")
}

func only(t *testing.T, dir string) v1.Image {
	t.Helper()
	index, err := layout.ImageIndexFromPath(dir)
	require.NoError(t, err)
	manifest, err := index.IndexManifest()
	require.NoError(t, err)
	require.Len(t, manifest.Manifests, 1)
	image, err := index.Image(manifest.Manifests[0].Digest)
	require.NoError(t, err)
	blobs := 0
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "blobs"), func(_ string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			blobs++
		}
		return err
	}))
	require.Equal(t, 4, blobs, "a manifest, a config, two layers")
	return image
}
