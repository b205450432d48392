package journal

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
)

// compressedDocument is a document as it is stored, by the hash of its content.
type compressedDocument struct {
	hash [sha256.Size]byte
	body []byte
}

// compress runs in the caller's goroutine, to take load off the single writer.
func (j *Journal) compress(raw []byte) ([]byte, error) {
	var buf bytes.Buffer
	z, ok := j.gzipWriters.Get().(*gzip.Writer)
	if ok {
		z.Reset(&buf)
	} else {
		var err error
		if z, err = gzip.NewWriterLevel(&buf, gzip.BestSpeed); err != nil {
			return nil, err
		}
	}
	defer j.gzipWriters.Put(z)
	if _, err := z.Write(raw); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func decompress(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	return raw, z.Close()
}
