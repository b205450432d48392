package plot

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestColumns(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "web": 3, "größer": 6, "e\u0301": 1, "日本": 4, "🙂": 2, "ｗ": 2, "─": 1, "…": 1, "क्": 1,
	} {
		require.Equal(t, want, Columns(text), "%q", text)
	}
}

func TestClip(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
	}{
		{"web", 3, "web"}, {"web", 2, "w…"}, {"web", 1, "…"}, {"web", 0, ""}, {"", 0, ""}, {"a word", 3, "a…"},
		{"日本語", 6, "日本語"}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"}, {"日本語", 2, "…"},
		{"e\u0301e\u0301e\u0301", 2, "e\u0301…"}, {"é\u0301é", 2, "é\u0301é"},
	} {
		got := Clip(c.text, c.most)
		require.Equal(t, c.want, got, "%q to %d", c.text, c.most)
		require.LessOrEqual(t, Columns(got), c.most)
	}
}

func TestClipMiddle(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
	}{
		{"default/web", 11, "default/web"}, {"default/web-000", 9, "defa…-000"}, {"default/web-000", 10, "defa…b-000"}, {"abcd", 2, "a…"},
		{"日本語日本語", 9, "日本…本語"}, {"日本語日本語", 8, "日…本語"}, {"abe\u0301cde\u0301f", 5, "ab…e\u0301f"},
	} {
		got := ClipMiddle(c.text, c.most)
		require.Equal(t, c.want, got, "%q to %d", c.text, c.most)
		require.LessOrEqual(t, Columns(got), c.most)
	}
}

func TestWrapCell(t *testing.T) {
	for _, c := range []struct {
		text    string
		columns int
		want    []string
	}{
		{"", 5, []string{""}}, {"one two", 9, []string{"one two"}}, {" one  two three ", 7, []string{"one two", "three"}},
		{"a http://long/url b", 6, []string{"a", "http:/", "/long/", "url b"}}, {"日本語", 4, []string{"日本", "語"}}, {"日本", 0, []string{"日", "本"}},
	} {
		require.Equal(t, c.want, WrapCell(c.text, c.columns), c.text)
	}
}

func FuzzClip(f *testing.F) {
	f.Add("a日e\u0301🙂\xff", 3)
	f.Fuzz(func(t *testing.T, text string, most int) {
		got := Clip(text, most)
		require.LessOrEqual(t, Columns(got), max(most, 0))
		require.LessOrEqual(t, Columns(ClipMiddle(text, most)), max(most, 0))
		for _, line := range WrapCell(text, most) {
			require.LessOrEqual(t, Columns(line), max(most, 2))
		}
	})
}

// Wide characters keep the columns of a table below each other.
func TestTableOfWideCharacters(t *testing.T) {
	got := Table{Header: []string{"a", "b"}, Rows: [][]string{{"日本", "x"}, {"e\u0301", "y"}}}.String()
	require.Equal(t, "a     b\n────  ─\n日本  x\ne\u0301     y\n", got)
}
