package tracker

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPageListsTheCalls compares the table of docs/tracker.md with the routes.
func TestPageListsTheCalls(t *testing.T) {
	t.Parallel()
	var want strings.Builder
	want.WriteString("| call | what |\n|---|---|\n")
	for _, r := range routes {
		_, _ = fmt.Fprintf(&want, "| `%s %s` | %s |\n", strings.Join(r.methods, "`, `"), r.path, r.what)
	}
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "tracker.md"))
	require.NoError(t, err)
	got := regexp.MustCompile(`(?m)^\| call .*\n(\|.*\n)+`).FindString(string(raw))
	require.Equal(t, want.String(), got, "put this table into docs/tracker.md:\n%s", want.String())
}
