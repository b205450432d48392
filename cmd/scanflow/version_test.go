package main

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersion(t *testing.T) {
	info := &debug.BuildInfo{
		Main:     debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123abcd"}, {Key: "vcs.time", Value: "2026-03-01T12:00:00Z"}, {Key: "vcs.modified", Value: "true"}},
		Deps:     []*debug.Module{{Path: "github.com/open-policy-agent/opa", Version: "v1.22.2"}, {Path: "k8s.io/client-go", Version: "v0.37.1"}},
	}
	b := buildOf(info, true)
	b.Go, b.Platform = "go1.26.7", "linux/amd64"
	require.Equal(t, `scanflow    v1.2.3
revision    0123abcd of 2026-03-01T12:00:00Z, modified
go          go1.26.7 linux/amd64
opa         v1.22.2
client-go   v0.37.1 (Kubernetes 1.37)
`, b.text())
	for name, c := range map[string]struct {
		info *debug.BuildInfo
		ok   bool
		want string
	}{
		"of a module": {info, true, "v1.2.3"}, "of a checkout": {&debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: info.Settings}, true, "0123abcd"},
		"without a repository": {&debug.BuildInfo{}, true, "devel"}, "without anything": {nil, false, "unknown"},
	} {
		require.Equal(t, c.want, buildOf(c.info, c.ok).Version, name)
	}
	out, code := scanflow(t, "version", "--json")
	require.Zero(t, code)
	require.Regexp(t, `"go":"go1\..*"opa":"v1\..*"kubernetes":"v0\.`, out)
}
