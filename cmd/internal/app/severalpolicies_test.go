package app

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
)

const countGuard = `package scanflow.guards.site

deny contains "over" if input.params.bound > 9

revision := COUNT
`

// packed is a bundle with one file.
func packed(t *testing.T, name, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	zw := gzip.NewWriter(&out)
	tw := tar.NewWriter(zw)
	require.NoError(t, tw.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}))
	_, err := tw.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, tw.Close())
	require.NoError(t, zw.Close())
	return out.Bytes()
}

// A folder and a URL make one revision, with the guards that ship. Each is followed; where
// one turns bad, the revision of before runs on, and neither holds up the other for good.
func TestAFolderAndAURLMakeOneRevision(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "policies")
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name+".new", []byte(text), 0o644))
		require.NoError(t, os.Rename(name+".new", name))
	}
	var bundle atomic.Pointer[[]byte]
	serve := func(text string) { raw := packed(t, "guard.rego", text); bundle.Store(&raw) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(*bundle.Load()) }))
	defer server.Close()
	url := server.URL + "/b.tar.gz"

	serve(strings.ReplaceAll(countGuard, "COUNT", "1"))
	write(filepath.Join(folder, "bound.rego"), boundPolicy)
	write(filepath.Join(dir, "agents", "keeper.yaml"), strings.ReplaceAll(boundAgent, "PARAMS", "bound: 5"))
	log := &heard{}
	s, err := start(t, Options{
		Manifests: []string{filepath.Join(dir, "agents")}, Data: filepath.Join(dir, "data"),
		Policies: policysource.Source{Paths: []string{folder, url}, Every: 50 * time.Millisecond},
		Log:      hclog.New(&hclog.LoggerOptions{Output: log}),
	}, &decided{})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Stop(t.Context())) }()
	require.Equal(t, []string{"layers", "scale_to_zero", "schedule", "site"}, s.Policies.Live().Guards())
	_, _, said := log.last()
	require.Contains(t, said, "scale_to_zero (shipped; verbs: scale), schedule (shipped; verbs: scale), site ("+url+")", "the start says which bind")

	soon := func(is func() bool, what string) {
		t.Helper()
		require.Eventually(t, is, 20*time.Second, 5*time.Millisecond, what)
	}
	first := s.Policies.Status().Revision
	refused := func(text string) func() bool {
		return func() bool {
			st := s.Policies.Status()
			return st.Revision == first && st.Err != nil && strings.Contains(st.Err.Error(), text)
		}
	}
	taken := func() bool { st := s.Policies.Status(); return st.Revision != first && st.Err == nil }

	serve(strings.ReplaceAll(countGuard, "COUNT", "nothing"))
	soon(refused(url+"/guard.rego:5:"), "the bundle is bad")
	serve(strings.ReplaceAll(countGuard, "COUNT", "2"))
	soon(taken, "the bundle is right again")

	first = s.Policies.Status().Revision
	write(filepath.Join(folder, "twice.rego"), strings.ReplaceAll(countGuard, "COUNT", "3"))
	soon(refused("package scanflow.guards.site is in "), "the folder has a package of the bundle")
	require.NoError(t, os.Remove(filepath.Join(folder, "twice.rego")))
	soon(func() bool { return s.Policies.Status().Err == nil }, "and no longer")
	require.Equal(t, first, s.Policies.Status().Revision)

	write(filepath.Join(folder, "more.rego"), "package scanflow.lib.more\n\nx := 1\n")
	soon(taken, "a change of the folder is taken")
}
