package digits

import (
	"fmt"
	"image"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/gomediumitalic"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/gomonoitalic"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/gofont/gosmallcaps"
	"golang.org/x/image/font/gofont/gosmallcapsitalic"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

const (
	// glyphHeight is the height of a digit in its field, in cells. Several cells to
	// an output pixel keep the edge's error well under a tenth of a pixel.
	glyphHeight = 80
	// glyphMargin leaves room around the digit for thick strokes and soft edges.
	glyphMargin = 16
	// inkHeight is the height of a digit of scale 1 in the image: MNIST's digits are 20 pixels high.
	inkHeight = 20
	// cellsPerPixel is the number of cells of a field in one output pixel at scale 1.
	cellsPerPixel = float32(glyphHeight) / inkHeight
)

// glyph is the distance to a digit's outline: one value for each cell, in output
// pixels at scale 1, negative inside. Any stroke thickness and any warp is then
// one look-up and one comparison a pixel.
type glyph struct {
	w, h     int
	distance []float32
}

// loadGlyphs returns the glyphs of the digits 0 to 9 in each of the Go fonts.
func loadGlyphs() ([][Classes]glyph, error) {
	fonts := [][]byte{
		goregular.TTF, gobold.TTF, goitalic.TTF, gobolditalic.TTF, gomedium.TTF, gomediumitalic.TTF,
		gomono.TTF, gomonobold.TTF, gomonoitalic.TTF, gosmallcaps.TTF, gosmallcapsitalic.TTF,
	}
	glyphs := make([][Classes]glyph, len(fonts))
	for i, ttf := range fonts {
		parsed, err := opentype.Parse(ttf)
		if err != nil {
			return nil, fmt.Errorf("parse Go font %d: %w", i, err)
		}
		// Digits are about 0.72 of the em high in these fonts.
		face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: glyphHeight / 0.72, DPI: 72, Hinting: font.HintingNone})
		if err != nil {
			return nil, fmt.Errorf("scale Go font %d: %w", i, err)
		}
		for class := range Classes {
			_, mask, at, _, ok := face.Glyph(fixed.P(0, 0), rune('0'+class))
			if !ok {
				return nil, fmt.Errorf("the Go font %d has no digit %d", i, class)
			}
			alpha, ok := mask.(*image.Alpha)
			if !ok {
				return nil, fmt.Errorf("the Go font %d: digit %d is a %T, not an alpha mask", i, class, mask)
			}
			glyphs[i][class] = newGlyph(alpha, at)
		}
		if err := face.Close(); err != nil {
			return nil, fmt.Errorf("close Go font %d: %w", i, err)
		}
	}
	return glyphs, nil
}

// newGlyph measures the distances of a mask whose digit begins at the point at.
func newGlyph(mask *image.Alpha, at image.Point) glyph {
	b := mask.Bounds()
	g := glyph{w: b.Max.X - at.X + 2*glyphMargin, h: b.Max.Y - at.Y + 2*glyphMargin}
	g.distance = make([]float32, g.w*g.h)
	inside, outside := make([]float64, g.w*g.h), make([]float64, g.w*g.h)
	for y := range g.h {
		for x := range g.w {
			p := image.Pt(at.X+x-glyphMargin, at.Y+y-glyphMargin)
			if p.In(b) && mask.AlphaAt(p.X, p.Y).A >= 128 {
				inside[y*g.w+x] = math.Inf(1)
			} else {
				outside[y*g.w+x] = math.Inf(1)
			}
		}
	}
	squaredDistances(inside, g.w, g.h)
	squaredDistances(outside, g.w, g.h)
	for i := range g.distance {
		g.distance[i] = float32(math.Sqrt(outside[i])-math.Sqrt(inside[i])) / cellsPerPixel
	}
	return g
}

// at returns the distance at a point of the field, interpolated linearly between cells.
func (g *glyph) at(x, y float32) float32 {
	if x < 0 || y < 0 || x >= float32(g.w-1) || y >= float32(g.h-1) {
		return Side
	}
	ix, iy := int(x), int(y)
	fx, fy := x-float32(ix), y-float32(iy)
	row := g.distance[iy*g.w+ix:]
	top := row[0] + fx*(row[1]-row[0])
	bottom := row[g.w] + fx*(row[g.w+1]-row[g.w])
	return top + fy*(bottom-top)
}
