package digits

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
)

// A model file is fileMagic, the header's length (4 bytes, big-endian), the header
// (JSON: Info, and the weights' checksum), and the weights.
const (
	fileMagic  = "scanflow-digits/1\n"
	maxHeader  = 64 << 10
	maxHidden  = 4096
	maxVersion = 128
)

// ErrModelFile is wrapped by every error about a file without a valid model.
var ErrModelFile = errors.New("not a usable model file")

type header struct {
	Info
	SHA256 string `json:"sha256"`
}

// Save writes the model to a file atomically.
func (m *Model) Save(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return fmt.Errorf("save model: %w", err)
	}
	err = errors.Join(m.Write(f), f.Sync(), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("save model %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// Write writes the model in the format of its file.
func (m *Model) Write(w io.Writer) error {
	payload := m.payload()
	head, err := json.Marshal(header{Info: m.info, SHA256: checksum(payload)})
	if err != nil {
		return fmt.Errorf("write model header: %w", err)
	}
	buf := append([]byte(fileMagic), binary.BigEndian.AppendUint32(nil, uint32(len(head)))...)
	buf = append(append(buf, head...), payload...)
	_, err = w.Write(buf)
	return err
}

// Load reads a model from a file. It returns ErrModelFile for a file without one.
func Load(path string) (*Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load model: %w (make one with `scanflow digits train`)", err)
	}
	defer func() { _ = f.Close() }()
	m, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("load model %s: %w", path, err)
	}
	return m, nil
}

// Read reads a model in the format of its file, to the end. It never uses more memory than the
// largest model, whatever the header contains.
func Read(r io.Reader) (*Model, error) {
	start := make([]byte, len(fileMagic)+4)
	if _, err := io.ReadFull(r, start); err != nil || !bytes.HasPrefix(start, []byte(fileMagic)) {
		return nil, unusable("it does not begin with %q", fileMagic)
	}
	size := binary.BigEndian.Uint32(start[len(fileMagic):])
	if size > maxHeader {
		return nil, unusable("its header is %d bytes long, more than %d", size, maxHeader)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, unusable("its header is cut short")
	}
	var h header
	if err := json.Unmarshal(text, &h); err != nil {
		return nil, unusable("its header is not JSON: %v", err)
	}
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModelFile, err)
	}
	m := &Model{info: h.Info, net: newNet(h.Hidden)}
	if err := m.readWeights(r, h.SHA256); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Model) readWeights(r io.Reader, sum string) error {
	count := 0
	for _, w := range m.net.weights() {
		count += len(w)
	}
	payload, err := io.ReadAll(io.LimitReader(r, int64(4*count)+1))
	if err != nil {
		return fmt.Errorf("read weights: %w", err)
	}
	if len(payload) < 4*count {
		return unusable("its weights are cut short: %d bytes of %d", len(payload), 4*count)
	}
	if len(payload) > 4*count {
		return unusable("something follows its %d bytes of weights", 4*count)
	}
	if checksum(payload) != sum {
		return unusable("its weights are damaged: their checksum differs from the header's")
	}
	for _, w := range m.net.weights() {
		for i := range w {
			w[i] = math.Float32frombits(binary.LittleEndian.Uint32(payload))
			payload = payload[4:]
			if v := float64(w[i]); math.IsNaN(v) || math.IsInf(v, 0) {
				return unusable("a weight is not a finite number")
			}
		}
	}
	return nil
}

// check returns every mistake of a header.
func (h *header) check() error {
	var errs []error
	if h.Hidden < 1 || h.Hidden > maxHidden {
		errs = append(errs, fmt.Errorf("header: hidden is %d, not between 1 and %d", h.Hidden, maxHidden))
	}
	if h.Version == "" || len(h.Version) > maxVersion {
		errs = append(errs, fmt.Errorf("header: version is %d bytes long, not between 1 and %d", len(h.Version), maxVersion))
	}
	if !(h.Accuracy >= 0 && h.Accuracy <= 1) {
		errs = append(errs, fmt.Errorf("header: accuracy is %g, not between 0 and 1", h.Accuracy))
	}
	if h.TrainSize < 0 || h.TestSize < 0 {
		errs = append(errs, fmt.Errorf("header: trainSize is %d and testSize %d; neither may be negative", h.TrainSize, h.TestSize))
	}
	return errors.Join(errs...)
}

func unusable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrModelFile, fmt.Sprintf(format, args...))
}
