package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/engine/server"
)

// The page's agents run, and each command prints what the page shows, but for times and ids.
func TestWhyNothingHappenedPage(t *testing.T) {
	t.Parallel()
	r := read(t, "docs/why-nothing-happened.md", "", "")
	for _, b := range r.blocks {
		if m := pageFile.FindStringSubmatch(b.lead); m != nil {
			file := filepath.Join(r.dir, m[1])
			require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
			require.NoError(t, os.WriteFile(file, []byte(b.text), 0o600))
		}
	}
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	r.address("127.0.0.1:8282", address)
	r.starts("scanflow run -f agents --policies policies --workloads workloads --listen " + address)
	steps := append(r.steps("scanflow eval"), r.steps("curl")...)
	require.Len(t, steps, 14)
	for _, s := range steps {
		if strings.HasPrefix(s.command, "curl") {
			out, err := r.shell(r.step("echo").command).CombinedOutput()
			require.NoError(t, err, string(out))
		}
		want, got := alike(s.shown), ""
		require.Eventually(t, func() bool {
			out, err := r.shell(s.command).CombinedOutput()
			var exit *exec.ExitError
			if err != nil {
				require.ErrorAs(t, err, &exit)
			}
			got = alike(string(out))
			return got == want
		}, 30*time.Second, 100*time.Millisecond, "%s\nwant %s\ngot %s", s.command, want, &got)
	}
	page, err := os.ReadFile("../../docs/why-nothing-happened.md")
	require.NoError(t, err)
	require.Contains(t, string(page), fmt.Sprintf("\nscanflow: %v: %v\n", server.ErrUnavailable, app.ErrStandsBy))
	out, err := r.shell("sed -i '$d' policies/call.rego; scanflow eval --server http://127.0.0.1:8282 --agent light > doc.json; " +
		"scanflow eval -f agents --policies policies --agent light --input doc.json --explain why.call").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Regexp(t, `call\.rego:9 .*Fail gt\(`, string(out))
}
