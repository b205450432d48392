package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// docs are the pages, by their path from this package.
func docs(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/cookbook/*.md", "docs/decisions/*.md", "docs/reference/*.md", "deploy/helm/scanflow/*.md", "deploy/scenarios/*.md"} {
		files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(pattern)))
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		for _, file := range files {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			out[file] = string(raw)
		}
	}
	return out
}

var (
	links   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// anchors are those of a page's headings, as GitHub makes them.
func anchors(page string) map[string]bool {
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		text := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		out[strings.ReplaceAll(text, " ", "-")] = true
	}
	return out
}

// A link leads to a file of the checkout, and its anchor to a heading.
func TestDocsLinks(t *testing.T) {
	t.Parallel()
	pages := docs(t)
	for name, page := range pages {
		for _, m := range links.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := name
			if target != "" {
				file = filepath.Join(filepath.Dir(name), filepath.FromSlash(target))
				_, err := os.Stat(file)
				require.NoError(t, err, "%s: %s", name, m[1])
			}
			if anchor != "" {
				require.True(t, anchors(pages[file])[anchor], "%s: %s: no such heading", name, m[1])
			}
		}
	}
}

// A page that sends readers to a test names one that is there. Figures say how they
// were measured in ways of their own.
func TestDocsNameTests(t *testing.T) {
	t.Parallel()
	command := regexp.MustCompile("`go test -run ('[^']+'|\\S+)((?: -v)?)((?: \\./\\S+)+)`")
	for name, page := range docs(t) {
		if filepath.Base(name) == "performance.md" {
			continue
		}
		named := command.FindAllStringSubmatch(page, -1)
		require.Len(t, named, strings.Count(page, "go test -run"), name)
		for _, m := range named {
			for _, folder := range strings.Fields(m[3]) {
				require.True(t, hasTest(t, folder, strings.Trim(m[1], "'")), "%s: %s in %s", name, m[1], folder)
			}
		}
	}
}

// hasTest reports whether a folder of the checkout has a test that matches a pattern.
func hasTest(t *testing.T, folder, pattern string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", folder, "*_test.go"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, test := range regexp.MustCompile(`(?m)^func (Test\w+)`).FindAllStringSubmatch(string(text), -1) {
			if regexp.MustCompile(pattern).MatchString(test[1]) {
				return true
			}
		}
	}
	return false
}
