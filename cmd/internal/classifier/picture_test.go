package classifier

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func read(t testing.TB, kind string, body []byte) *Image {
	p, err := ReadPicture(kind, body)
	require.NoError(t, err)
	img, err := p.Image()
	require.NoError(t, err)
	return img
}

func TestPictures(t *testing.T) {
	sample := Sample(3)
	for format, kind := range map[Format]string{Raw: "application/octet-stream", JPEG: "image/jpeg", PNG: "image/png"} {
		body, err := sample.Encode(format)
		require.NoError(t, err)
		for _, k := range []string{kind, "application/octet-stream", ""} {
			img := read(t, k, body)
			if format != JPEG {
				require.Equal(t, sample, img)
				continue
			}
			var off float64
			for i := range img {
				off += max(float64(img[i])-float64(sample[i]), float64(sample[i])-float64(img[i]))
			}
			require.Less(t, off/ImageBytes, 12.0)
		}
	}
	_, err := sample.Encode("gif")
	require.ErrorContains(t, err, "use raw, jpeg or png")
}

// Pictures of other sizes are scaled: here the left half is red, the right one blue.
func TestPicturesAreScaled(t *testing.T) {
	for _, size := range [][2]int{{2, 1}, {100, 300}, {448, 448}, {2000, 50}} {
		from := image.NewNRGBA(image.Rect(0, 0, size[0], size[1]))
		for y := range size[1] {
			for x := range size[0] {
				c := color.NRGBA{R: 255, A: 255}
				if x >= size[0]/2 {
					c = color.NRGBA{B: 255, A: 255}
				}
				from.Set(x, y, c)
			}
		}
		var b bytes.Buffer
		require.NoError(t, png.Encode(&b, from))
		img := read(t, "image/png", b.Bytes())
		middle := Side / 2 * Side * Channels
		require.Equal(t, []byte{255, 0, 0}, img[middle:middle+3])
		require.Equal(t, []byte{0, 0, 255}, img[middle+(Side-1)*Channels:middle+Side*Channels])
	}
}

// Scaling keeps a row of Side pixels for each row that was sent, so that a picture of few
// bytes and many rows would take gigabytes.
func TestNarrowPicturesTakeLittleMemory(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, MaxSide))))
	p, err := ReadPicture("image/png", b.Bytes())
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = p.Image()
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(128<<20))
}

// announced is the beginning of a PNG that says it has so many pixels.
func announced(width, height uint32) []byte {
	head := append([]byte("IHDR"), make([]byte, 13)...)
	binary.BigEndian.PutUint32(head[4:], width)
	binary.BigEndian.PutUint32(head[8:], height)
	head[12], head[13] = 8, 2
	b := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), head...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(head))
}

func TestPicturesThatAreRefused(t *testing.T) {
	jpg, err := Sample(1).Encode(JPEG)
	require.NoError(t, err)
	for _, c := range []struct {
		name, kind string
		body       []byte
		want       string
	}{
		{"another type", "image/gif", []byte("GIF89a"), "none of application/octet-stream"},
		{"no type at all", "image/", jpg, "none of application/octet-stream"},
		{"what curl sends", "application/x-www-form-urlencoded", jpg, "none of application/octet-stream"},
		{"a byte less", "application/octet-stream", make([]byte, ImageBytes-1), "a raw image has 150528"},
		{"nothing", "", nil, "the body has 0 bytes"},
		{"JPEG that is PNG", "image/png", jpg, "the body is no image/png"},
		{"nothing as JPEG", "image/jpeg", nil, "the body is no image/jpeg"},
		{"too many pixels", "image/png", announced(1<<30, 1<<20), "send a smaller one"},
		{"one row too many", "image/png", announced(2048, 2049), "send a smaller one"},
		{"no pixels", "image/png", announced(0, 10), "image/png"},
		{"one pixel wide, all rows", "image/png", announced(1, MaxPixels), "no side of more than 8192"},
		{"one pixel high, all columns", "image/png", announced(MaxPixels, 1), "no side of more than 8192"},
		{"a row more than a side has", "image/png", announced(64, MaxSide+1), "no side of more than 8192"},
	} {
		_, err := ReadPicture(c.kind, c.body)
		require.ErrorContains(t, err, c.want, c.name)
	}
	for name, body := range map[string][]byte{"JPEG cut short": jpg[:len(jpg)/2], "PNG cut short": announced(2048, 2048)} {
		p, err := ReadPicture("", body)
		require.NoError(t, err, name)
		_, err = p.Image()
		require.ErrorContains(t, err, "cannot be decoded", name)
	}
}

// FuzzReadPicture reads any body: an image, or an error that a person would read.
func FuzzReadPicture(f *testing.F) {
	for _, format := range []Format{Raw, JPEG, PNG} {
		body, err := Sample(1).Encode(format)
		require.NoError(f, err)
		for _, kind := range []string{"", "application/octet-stream", "image/jpeg", "image/png; a=\"", "image/\xff"} {
			f.Add(kind, body)
			f.Add(kind, body[:len(body)/3])
		}
	}
	f.Add("image/png", announced(1<<31-1, 1<<31-1))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		p, err := ReadPicture(kind, body)
		if err == nil {
			_, err = p.Image()
		}
		if err != nil {
			require.Less(t, len(err.Error()), 1000)
			require.NotEmpty(t, strings.TrimSpace(err.Error()))
		}
	})
}
