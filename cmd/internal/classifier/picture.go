package classifier

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"mime"

	"golang.org/x/image/draw"
)

// MaxPixels bounds a picture before scaling, which needs up to 16 bytes per pixel.
const MaxPixels = 4 << 20

// MaxSide bounds the width and the height: scaling needs 32 x Side bytes per row, even for
// a narrow picture.
const MaxSide = 8192

// ErrType is the error for an unsupported media type.
var ErrType = errors.New("it is none of application/octet-stream, image/jpeg, image/png")

// Picture is an uploaded picture that is not decoded yet.
type Picture struct {
	body   []byte
	decode func([]byte) (image.Image, error) // nil: raw bytes
}

// ReadPicture checks the type and the size of a picture: ImageBytes raw bytes of red,
// green and blue, JPEG or PNG. For application/octet-stream, and without a type, it
// detects the type from the first bytes.
func ReadPicture(contentType string, body []byte) (Picture, error) {
	kind := "application/octet-stream"
	if contentType != "" {
		var err error
		if kind, _, err = mime.ParseMediaType(contentType); err != nil {
			return Picture{}, fmt.Errorf("Content-Type %.80q: %w", contentType, ErrType)
		}
	}
	if kind == "application/octet-stream" {
		switch {
		case len(body) == ImageBytes:
			return Picture{body: body}, nil
		case bytes.HasPrefix(body, []byte("\xff\xd8\xff")):
			kind = "image/jpeg"
		case bytes.HasPrefix(body, []byte("\x89PNG")):
			kind = "image/png"
		default:
			return Picture{}, fmt.Errorf("the body has %d bytes and is neither JPEG nor PNG; a raw image has %d: %d rows of %d pixels of red, green and blue", len(body), ImageBytes, Side, Side)
		}
	}
	p := Picture{body: body}
	var size image.Config
	var err error
	switch kind {
	case "image/jpeg":
		size, err = jpeg.DecodeConfig(bytes.NewReader(body))
		p.decode = func(b []byte) (image.Image, error) { return jpeg.Decode(bytes.NewReader(b)) }
	case "image/png":
		size, err = png.DecodeConfig(bytes.NewReader(body))
		p.decode = func(b []byte) (image.Image, error) { return png.Decode(bytes.NewReader(b)) }
	default:
		return Picture{}, fmt.Errorf("Content-Type %.80q: %w", contentType, ErrType)
	}
	if err != nil {
		return Picture{}, fmt.Errorf("the body is no %s: %w", kind, err)
	}
	if size.Width < 1 || size.Height < 1 || size.Width > MaxPixels/size.Height || max(size.Width, size.Height) > MaxSide {
		return Picture{}, fmt.Errorf("the picture has %d x %d pixels, not from 1 to %d in all and no side of more than %d: send a smaller one", size.Width, size.Height, MaxPixels, MaxSide)
	}
	return p, nil
}

// Image decodes the picture and scales it without preserving the aspect ratio.
// Transparent pixels become black.
func (p Picture) Image() (*Image, error) {
	var img Image
	if p.decode == nil {
		copy(img[:], p.body)
		return &img, nil
	}
	from, err := p.decode(p.body)
	if err != nil {
		return nil, fmt.Errorf("the picture cannot be decoded: %w", err)
	}
	to := image.NewRGBA(image.Rect(0, 0, Side, Side))
	if from.Bounds().Dx() == Side && from.Bounds().Dy() == Side {
		draw.Draw(to, to.Bounds(), from, from.Bounds().Min, draw.Src)
	} else {
		draw.BiLinear.Scale(to, to.Bounds(), from, from.Bounds(), draw.Src, nil)
	}
	for i := range Side * Side {
		copy(img[i*Channels:(i+1)*Channels], to.Pix[i*4:])
	}
	return &img, nil
}

// Format is an image format.
type Format string

// The formats with their media types.
const (
	Raw  Format = "raw"
	JPEG Format = "jpeg"
	PNG  Format = "png"
)

// Encode encodes an image in a format.
func (img *Image) Encode(f Format) ([]byte, error) {
	if f == Raw {
		return img[:], nil
	}
	rgba := image.NewRGBA(image.Rect(0, 0, Side, Side))
	for i := range Side * Side {
		copy(rgba.Pix[i*4:], img[i*Channels:(i+1)*Channels])
		rgba.Pix[i*4+3] = 255
	}
	var b bytes.Buffer
	switch f {
	case JPEG:
		err := jpeg.Encode(&b, rgba, &jpeg.Options{Quality: 85})
		return b.Bytes(), err
	case PNG:
		err := png.Encode(&b, rgba)
		return b.Bytes(), err
	}
	return nil, fmt.Errorf("there is no format %q: use %s, %s or %s", f, Raw, JPEG, PNG)
}
