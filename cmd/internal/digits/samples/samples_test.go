package samples

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

func some() []Sample {
	all := []Sample{
		{ID: "r/0", Label: 7, Model: "3", Predicted: 1, Confidence: 0.75, Score: 0.5},
		{ID: `odd "id", with a comma`, Label: digits.NoClass, Model: "3", Predicted: 0, Confidence: 1e-7, Score: 1},
		{Label: 0, Predicted: digits.NoClass},
	}
	all[0].Image[0], all[2].Image[digits.Pixels-1] = 255, 1
	return all
}

func TestAFileHoldsWhatWasSaved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.zip")
	for name, all := range map[string][]Sample{"some": some(), "none": nil} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, Save(path, all))
			again, err := Load(path)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(all, again))
		})
	}
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1, "a temporary file was left")
	require.Error(t, Save(filepath.Join(path, "below-a-file"), some()))
	_, err = Load(path + ".none")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestSetsOfSamples(t *testing.T) {
	all := some()
	s := Labelled(all)
	require.Equal(t, []byte{7, 0}, s.Labels)
	require.Equal(t, []digits.Image{all[0].Image, all[2].Image}, s.Images)
	require.Equal(t, s, Labelled(FromSet(s)))
	require.Len(t, Images(all), 3)
}

// pack makes a file of its parts; a part of "" is left out.
func pack(t *testing.T, images, table []byte) []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, text := range map[string][]byte{imagesName: images, tableName: table} {
		if text == nil {
			continue
		}
		f, err := z.Create(name)
		require.NoError(t, err)
		_, err = f.Write(text)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return out.Bytes()
}

func idx(t *testing.T, n int) []byte {
	var out bytes.Buffer
	require.NoError(t, digits.WriteImages(&out, make([]digits.Image, n)))
	return out.Bytes()
}

func TestReadRefuses(t *testing.T) {
	heading := strings.Join(columns, ",") + "\n"
	row := "r/0,7,3,1,0.5,0.5\n"
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"nothing":             {nil, "zip"},
		"no zip":              {[]byte(strings.Repeat("x", 1000)), "zip"},
		"no images":           {pack(t, nil, []byte(heading)), imagesName},
		"no table":            {pack(t, idx(t, 0), nil), tableName},
		"damaged images":      {pack(t, []byte("IDX"), []byte(heading)), "header is cut short"},
		"images cut":          {pack(t, idx(t, 2)[:1000], []byte(heading)), "announces 2 images"},
		"no heading":          {pack(t, idx(t, 0), []byte{}), "does not begin with the heading id,label"},
		"another heading":     {pack(t, idx(t, 0), []byte("id,label\n")), "does not begin with the heading"},
		"more images":         {pack(t, idx(t, 2), []byte(heading+row)), "has 2 images, and samples.csv 1 lines"},
		"more lines":          {pack(t, idx(t, 0), []byte(heading+row)), "has 0 images"},
		"too few columns":     {pack(t, idx(t, 1), []byte(heading+"r/0,7\n")), "wrong number of fields"},
		"a label that is ten": {pack(t, idx(t, 1), []byte(heading+"r/0,10,3,1,0.5,0.5\n")), `line 2: label "10" is no digit`},
		"all of a line": {pack(t, idx(t, 2), []byte(heading+row+"r/0,x,3,-1,2,NaN\n")),
			"line 3: label \"x\" is no digit\npredicted \"-1\" is no digit\nconfidence \"2\" is no number from 0 to 1\nscore \"NaN\" is no number"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(bytes.NewReader(c.file))
			require.ErrorIs(t, err, ErrFile)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func FuzzRead(f *testing.F) {
	var whole bytes.Buffer
	if err := Write(&whole, some()); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Add([]byte("PK"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		all, err := Read(bytes.NewReader(raw))
		if err != nil {
			return
		}
		var out bytes.Buffer
		require.NoError(t, Write(&out, all))
		again, err := Read(&out)
		require.NoError(t, err)
		require.Len(t, again, len(all))
	})
}
