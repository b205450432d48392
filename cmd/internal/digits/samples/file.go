package samples

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

// The files in a file of samples.
const (
	imagesName = "images-idx3-ubyte"
	tableName  = "samples.csv"
)

// MaxFile bounds what is read of a file, in bytes, packed: some 400,000 images.
const MaxFile = 320 << 20

// ErrFile is wrapped by every error that says a file holds no usable samples.
var ErrFile = errors.New("not a usable file of samples")

// Write writes samples in their file's form.
func Write(w io.Writer, all []Sample) error {
	z := zip.NewWriter(w)
	// These are small and many: the last tenth that a slower packer would win is not worth its time.
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	images, err := z.Create(imagesName)
	if err == nil {
		err = digits.WriteImages(images, Images(all))
	}
	if err != nil {
		return fmt.Errorf("write samples: %w", err)
	}
	table, err := z.Create(tableName)
	if err == nil {
		err = writeTable(table, all)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		return fmt.Errorf("write samples: %w", err)
	}
	return nil
}

// Read reads a file of samples, to its end.
func Read(r io.Reader) ([]Sample, error) {
	raw, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read samples: %w", err)
	}
	if len(raw) > MaxFile {
		return nil, fmt.Errorf("%w: it is larger than %d MiB", ErrFile, MaxFile>>20)
	}
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	images, err := readPart(z, imagesName, digits.ReadImages)
	if err != nil {
		return nil, err
	}
	all, err := readPart(z, tableName, readTable)
	if err != nil {
		return nil, err
	}
	if len(images) != len(all) {
		return nil, fmt.Errorf("%w: %s has %d images, and %s %d lines below its heading", ErrFile, imagesName, len(images), tableName, len(all))
	}
	for i := range all {
		all[i].Image = images[i]
	}
	return all, nil
}

func readPart[T any](z *zip.Reader, name string, read func(io.Reader) (T, error)) (T, error) {
	var none T
	f, err := z.Open(name)
	if err != nil {
		return none, fmt.Errorf("%w: %s: %w", ErrFile, name, err)
	}
	defer func() { _ = f.Close() }() // only read from
	v, err := read(f)
	if err != nil {
		return none, fmt.Errorf("%w: %s: %w", ErrFile, name, err)
	}
	return v, nil
}

// Save writes samples to a file, whole or not at all.
func Save(path string, all []Sample) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return fmt.Errorf("save samples: %w", err)
	}
	err = errors.Join(Write(f, all), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("save samples %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// Load reads samples from a file.
func Load(path string) ([]Sample, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load samples: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from
	all, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("load samples %s: %w", path, err)
	}
	return all, nil
}
