package journal

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
)

// packed is a document as it is kept: compressed, under the hash of its content.
type packed struct {
	hash [sha256.Size]byte
	body []byte
}

// pack compresses in the caller's goroutine, so that the one writer need not.
func (j *Journal) pack(raw []byte) ([]byte, error) {
	var buf bytes.Buffer
	z, ok := j.zips.Get().(*gzip.Writer)
	if ok {
		z.Reset(&buf)
	} else {
		var err error
		if z, err = gzip.NewWriterLevel(&buf, gzip.BestSpeed); err != nil {
			return nil, err
		}
	}
	defer j.zips.Put(z)
	if _, err := z.Write(raw); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func unpack(body []byte) ([]byte, error) {
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
