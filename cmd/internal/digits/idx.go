package digits

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// IDX is MNIST's format: a magic number with the type and the dimensions, each
// dimension's size, and the bytes; all numbers are big-endian.
const (
	imagesMagic = 0x00000803 // bytes, three dimensions
	labelsMagic = 0x00000801 // bytes, one dimension
	// maxSamples bounds the memory that a file can ask for: MNIST has 60,000, EMNIST 280,000 digits.
	maxSamples = 400_000
)

// ErrIDX is wrapped by every error about an invalid IDX file.
var ErrIDX = errors.New("bad IDX file")

// ReadImages reads an IDX file of 28 by 28 images, plain or gzipped, to its end.
func ReadImages(r io.Reader) ([]Image, error) {
	src, count, err := openIDX(r, imagesMagic, "images")
	if err != nil {
		return nil, err
	}
	var sides [2]uint32
	if err := binary.Read(src, binary.BigEndian, &sides); err != nil {
		return nil, cut("its header is cut short", err)
	}
	if sides != [2]uint32{Side, Side} {
		return nil, badIDX("its images are %d by %d pixels, not %d by %d", sides[0], sides[1], Side, Side)
	}
	var images []Image
	for i := range count {
		var img Image
		if _, err := io.ReadFull(src, img[:]); err != nil {
			return nil, cut(fmt.Sprintf("cut short: it announces %d images and holds %d", count, i), err)
		}
		images = append(images, img)
	}
	return images, atEnd(src, count, "images")
}

// ReadLabels reads an IDX file of labels, plain or gzipped, to its end.
func ReadLabels(r io.Reader) ([]byte, error) {
	src, count, err := openIDX(r, labelsMagic, "labels")
	if err != nil {
		return nil, err
	}
	labels, err := io.ReadAll(io.LimitReader(src, int64(count)))
	if err != nil || len(labels) < count {
		return nil, cut(fmt.Sprintf("cut short: it announces %d labels and holds %d", count, len(labels)), err)
	}
	for i, l := range labels {
		if l >= Classes {
			return nil, badIDX("label %d is %d, which is no digit", i, l)
		}
	}
	return labels, atEnd(src, count, "labels")
}

// openIDX unpacks the file if it is gzipped, whatever its name, and reads the
// magic number and the number of samples.
func openIDX(r io.Reader, magic uint32, what string) (src *bufio.Reader, count int, err error) {
	src = bufio.NewReader(r)
	if start, err := src.Peek(2); err == nil && start[0] == 0x1f && start[1] == 0x8b {
		unzip, err := gzip.NewReader(src)
		if err != nil {
			return nil, 0, badIDX("its gzip header is damaged: %v", err)
		}
		src = bufio.NewReader(unzip)
	}
	var head [2]uint32
	if err := binary.Read(src, binary.BigEndian, &head); err != nil {
		return nil, 0, cut("its header is cut short", err)
	}
	if head[0] != magic {
		return nil, 0, badIDX("its magic number is 0x%08x, not 0x%08x: it holds no %s", head[0], magic, what)
	}
	if head[1] > maxSamples {
		return nil, 0, badIDX("it announces %d %s, more than %d", head[1], what, maxSamples)
	}
	return src, int(head[1]), nil
}

// atEnd rejects a file with more data. Reading to the end also checks a gzip file's checksum.
func atEnd(src *bufio.Reader, count int, what string) error {
	switch _, err := src.ReadByte(); {
	case err == nil:
		return badIDX("something follows the %d %s that it announces", count, what)
	case errors.Is(err, io.EOF):
		return nil
	default:
		return cut("its end can't be read", err)
	}
}

// cut returns the error of a file that ends too early, or can't be unpacked or read further.
func cut(problem string, err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badIDX("%s", problem)
	}
	return fmt.Errorf("%w: %s: %w", ErrIDX, problem, err)
}

func badIDX(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrIDX, fmt.Sprintf(format, args...))
}

// WriteImages writes images as an IDX file, plain.
func WriteImages(w io.Writer, images []Image) error {
	out := bufio.NewWriter(w)
	for _, v := range []uint32{imagesMagic, uint32(len(images)), Side, Side} {
		if err := binary.Write(out, binary.BigEndian, v); err != nil {
			return err
		}
	}
	for i := range images {
		if _, err := out.Write(images[i][:]); err != nil {
			return err
		}
	}
	return out.Flush()
}
