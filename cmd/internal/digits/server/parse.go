package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"strings"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

const (
	// maxInstances bounds the images of one request.
	maxInstances = 256
	// maxMistakes bounds the mistakes in an error response.
	maxMistakes = 20
)

// parse reads the images of a request: JSON {"instances":[{"pixels":[784 numbers]}]},
// or raw (application/octet-stream), 784 bytes an image. Its error has every mistake.
func parse(contentType string, body []byte) ([]digits.Image, []string) {
	kind, _, err := mime.ParseMediaType(contentType)
	switch {
	case contentType == "", err == nil && kind == "application/json":
		return parseJSON(body)
	case err == nil && kind == "application/octet-stream":
		return parseRaw(body)
	}
	return nil, []string{fmt.Sprintf("Content-Type: %q is neither application/json nor application/octet-stream", contentType)}
}

func parseRaw(body []byte) ([]digits.Image, []string) {
	n := len(body) / digits.Pixels
	if n == 0 || len(body)%digits.Pixels != 0 || n > maxInstances {
		return nil, []string{fmt.Sprintf("body: %d bytes are not 1 to %d images of %d bytes each", len(body), maxInstances, digits.Pixels)}
	}
	images := make([]digits.Image, n)
	for i := range images {
		copy(images[i][:], body[i*digits.Pixels:])
	}
	return images, nil
}

func parseJSON(body []byte) ([]digits.Image, []string) {
	var request struct {
		Instances []json.RawMessage `json:"instances"`
	}
	if err := strict(body, &request); err != nil {
		return nil, []string{"body: " + describe(err)}
	}
	n := len(request.Instances)
	if n == 0 || n > maxInstances {
		return nil, []string{fmt.Sprintf("instances: there are %d, not 1 to %d", n, maxInstances)}
	}
	images := make([]digits.Image, n)
	var mistakes mistakes
	for i, raw := range request.Instances {
		var instance struct {
			Pixels []any `json:"pixels"`
		}
		where := fmt.Sprintf("instances[%d]", i)
		if err := strict(raw, &instance); err != nil {
			mistakes.add("%s: %s", where, describe(err))
			continue
		}
		if len(instance.Pixels) != digits.Pixels {
			mistakes.add("%s.pixels: %d numbers, not %d (%d rows of %d)", where, len(instance.Pixels), digits.Pixels, digits.Side, digits.Side)
		}
		for j, v := range instance.Pixels {
			number, ok := v.(float64)
			if !ok || number < 0 || number > 255 {
				mistakes.add("%s.pixels[%d]: not a number from 0 to 255", where, j)
				continue
			}
			if j < digits.Pixels {
				images[i][j] = byte(math.Round(number))
			}
		}
	}
	return images, mistakes.list()
}

// mistakes lists the first mistakes, and the number of the others.
type mistakes struct {
	first []string
	more  int
}

func (m *mistakes) add(format string, args ...any) {
	if len(m.first) >= maxMistakes {
		m.more++
		return
	}
	m.first = append(m.first, fmt.Sprintf(format, args...))
}

func (m *mistakes) list() []string {
	if m.more > 0 {
		return append(m.first, fmt.Sprintf("and %d more", m.more))
	}
	return m.first
}

// strict decodes exactly one JSON value, and rejects unknown fields.
func strict(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}

// describe returns a JSON error in terms of JSON, and not of Go.
func describe(err error) string {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		if wrongType.Field != "" {
			return fmt.Sprintf("%s is a JSON %s of the wrong kind", wrongType.Field, wrongType.Value)
		}
		return fmt.Sprintf("a JSON %s is not what belongs here", wrongType.Value)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the JSON is cut short"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}
