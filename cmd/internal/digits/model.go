package digits

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
)

// Info is the description of a model in its file.
type Info struct {
	Version   string  `json:"version"`
	Accuracy  float64 `json:"accuracy"` // share of the test set that it gets right, 0 to 1
	TrainSize int     `json:"trainSize"`
	TestSize  int     `json:"testSize"`
	Source    string  `json:"source"` // of the samples
	Hidden    int     `json:"hidden"` // units of the hidden layer
	Epochs    int     `json:"epochs"`
	Seed      uint64  `json:"seed"`
}

// Model is a trained classifier. It is safe for concurrent use.
type Model struct {
	info Info
	net  *net
}

// Info returns the description of the model.
func (m *Model) Info() Info { return m.info }

// Prediction is the result of a model for one image.
type Prediction struct {
	Class         int              `json:"class"`
	Confidence    float64          `json:"confidence"` // the probability of Class
	Probabilities [Classes]float64 `json:"probabilities"`
}

// Predict classifies one image. It skips white pixels, which are most of the image.
func (m *Model) Predict(img *Image) Prediction {
	n := m.net
	h := make([]float32, n.hidden())
	copy(h, n.b1)
	for i, v := range img {
		if v == 0 {
			continue
		}
		x := float32(v) * (1.0 / 255)
		for j, w := range n.w1.Data[i*n.w1.Stride : i*n.w1.Stride+len(h)] {
			h[j] += x * w
		}
	}
	var p [Classes]float32
	copy(p[:], n.b2)
	for i, v := range h {
		if v <= 0 {
			continue
		}
		for j, w := range n.w2.Data[i*Classes : (i+1)*Classes] {
			p[j] += v * w
		}
	}
	softmax(p[:])
	return prediction(p[:])
}

// prediction returns the Prediction of one image's probabilities.
func prediction(p []float32) Prediction {
	out := Prediction{Class: argmax(p)}
	for i, v := range p {
		out.Probabilities[i] = float64(v)
	}
	out.Confidence = out.Probabilities[out.Class]
	return out
}

// Margin returns the difference of the probabilities of the two most probable classes: 0 if the
// model can't distinguish them, 1 if it is certain.
func (p *Prediction) Margin() float64 {
	next := 0.0
	for class, v := range p.Probabilities {
		if class != p.Class {
			next = max(next, v)
		}
	}
	return p.Confidence - next
}

// payload returns the weights in the format of the model file: little-endian float32.
func (m *Model) payload() []byte {
	var b []byte
	for _, w := range m.net.weights() {
		for _, v := range w {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
	}
	return b
}

// checksum returns the SHA-256 of the weights, in hex.
func (m *Model) checksum() string { return checksum(m.payload()) }

func checksum(payload []byte) string {
	sum := sha256.Sum256(payload)
	return hex.EncodeToString(sum[:])
}
