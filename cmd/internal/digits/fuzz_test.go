package digits

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzModelFile reads any bytes as a model: the result is an ErrModelFile, or a model that
// writes the same bytes and classifies an image.
func FuzzModelFile(f *testing.F) {
	file := func(header string, weights []byte) []byte {
		return append(append(binary.BigEndian.AppendUint32([]byte(fileMagic), uint32(len(header))), header...), weights...)
	}
	small := &Model{info: Info{Version: "v", Hidden: 1}, net: newNet(1)}
	var whole bytes.Buffer
	require.NoError(f, small.Write(&whole))
	f.Add(whole.Bytes())
	f.Add(whole.Bytes()[:whole.Len()-1])
	f.Add(append(whole.Bytes(), 0))
	for _, header := range []string{
		`{}`, `null`, `{"hidden":4096,"version":"v"}`, `{"hidden":-1,"version":"v"}`, `{"hidden":1e100000}`, `{"hidden":9223372036854775807,"version":"v"}`, `{"hidden":1,"version":"v","accuracy":1e400}`, strings.Repeat("[", 60_000), "{\"version\":\"\xff\\u0000\",\"hidden\":1}",
	} {
		f.Add(file(header, nil))
		f.Add(file(header, bytes.Repeat([]byte{0xff}, 4000)))
	}
	f.Add([]byte(fileMagic + "\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Read(bytes.NewReader(raw))
		if err != nil {
			require.ErrorIs(t, err, ErrModelFile)
			require.Nil(t, m)
			return
		}
		var out bytes.Buffer
		require.NoError(t, m.Write(&out))
		again, err := Read(&out)
		require.NoError(t, err)
		require.Equal(t, m.info, again.info)
		require.Equal(t, m.payload(), again.payload())
	})
}
