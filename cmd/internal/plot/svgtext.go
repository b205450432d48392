package plot

import (
	"image/color"
	"sync"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	imagefont "golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// sans is the font by which text is measured. The SVG refers to it without embedding
// it; fontFamily lists fonts of the same widths.
var sans = font.Font{Typeface: "Liberation", Variant: "Sans"}

var fonts = sync.OnceValues(func() (*font.Cache, error) {
	var all font.Collection
	for _, f := range []struct {
		weight imagefont.Weight
		ttf    []byte
	}{{imagefont.WeightNormal, liberationsansregular.TTF}, {imagefont.WeightBold, liberationsansbold.TTF}} {
		face, err := opentype.Parse(f.ttf)
		if err != nil {
			return nil, err
		}
		named := sans
		named.Weight = f.weight
		all = append(all, font.Face{Font: named, Face: face})
	}
	return font.NewCache(all), nil
})

// style is a text style with a size in points.
func style(cache *font.Cache, size float64, weight imagefont.Weight, c color.Color, x, y float64) draw.TextStyle {
	f := font.From(sans, vg.Points(size))
	f.Weight = weight
	return draw.TextStyle{Color: c, Font: f, XAlign: text.XAlignment(x), YAlign: text.YAlignment(y), Handler: text.Plain{Fonts: cache}}
}

// pageColors are the colors on a white page. They are from the palettes of Okabe and Ito
// (2008) and of Tol (2021), which color-blind readers can distinguish, with a contrast
// to white of at least 3 to 1 (WCAG 2.2, 1.4.11).
var pageColors = [...]color.NRGBA{
	Plain: {0x22, 0x22, 0x22, 0xff}, Red: {0xd5, 0x5e, 0x00, 0xff}, Green: {0x00, 0x93, 0x6b, 0xff}, Yellow: {0xb8, 0x7a, 0x00, 0xff},
	Blue: {0x33, 0x22, 0x88, 0xff}, Magenta: {0xaa, 0x44, 0x99, 0xff}, Cyan: {0x00, 0x72, 0xb2, 0xff}, Grey: {0x66, 0x66, 0x66, 0xff},
}

func pageColor(c Color) color.Color {
	if c < Plain || int(c) >= len(pageColors) {
		c = Plain
	}
	return pageColors[c]
}
