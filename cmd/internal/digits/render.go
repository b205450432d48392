package digits

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
)

// Style bounds the differences of a rendered digit to the printed one. Each sample draws its own
// values, uniformly.
type Style struct {
	Rotation  float64 // degrees, either way
	Shear     float64 // sideways shift per unit of height, either way
	MinScale  float64 // of a 20 pixel high digit, each axis on its own
	MaxScale  float64
	MinStroke float64 // pixels added to each side of a stroke; below 0 thins it
	MaxStroke float64
	Shift     float64 // pixels, either way on each axis
	Wobble    float64 // pixels by which a stroke sways, as a hand's does
	Noise     float64 // standard deviation of a pixel's grey, of 255
}

// DefaultStyle is about as varied as the handwriting of many people.
func DefaultStyle() Style {
	return Style{
		Rotation: 14, Shear: 0.25, MinScale: 0.78, MaxScale: 1.08,
		MinStroke: -0.45, MaxStroke: 0.7, Shift: 1.6, Wobble: 0.9, Noise: 14,
	}
}

// Renderer draws digits. It is safe for concurrent use.
type Renderer struct {
	style  Style
	glyphs [][Classes]glyph
}

// NewRenderer measures the fonts' digits, once; a sample is then a few microseconds.
func NewRenderer(style Style) (*Renderer, error) {
	glyphs, err := loadGlyphs()
	if err != nil {
		return nil, err
	}
	return &Renderer{style: style, glyphs: glyphs}, nil
}

// Set draws n digits on all cores. Sample i depends on the seed and on i alone.
func (r *Renderer) Set(n int, seed uint64) Set {
	s := Set{Images: make([]Image, n), Labels: make([]byte, n)}
	const chunk = 256
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				from := int(next.Add(chunk)) - chunk
				if from >= n {
					return
				}
				for i := from; i < min(from+chunk, n); i++ {
					rng := rand.New(rand.NewPCG(seed, uint64(i)))
					class := rng.IntN(Classes)
					s.Labels[i] = byte(class)
					r.draw(&s.Images[i], class, rng)
				}
			}
		})
	}
	wg.Wait()
	return s
}

// Dataset draws a training set and a test set that share no sample.
func (r *Renderer) Dataset(train, test int, seed uint64) Dataset {
	all := r.Set(train+test, seed)
	return Dataset{Train: all.Slice(0, train), Test: all.Slice(train, train+test), Source: "rendered"}
}

// draw maps each pixel back through the sample's warp into the glyph's field, and inks it by its
// distance to the stroke's edge.
func (r *Renderer) draw(img *Image, class int, rng *rand.Rand) {
	st := r.style
	g := &r.glyphs[rng.IntN(len(r.glyphs))][class]
	either := func(limit float64) float64 { return limit * (2*rng.Float64() - 1) }
	between := func(lo, hi float64) float64 { return lo + (hi-lo)*rng.Float64() }

	sin, cos := math.Sincos(either(st.Rotation) * math.Pi / 180)
	shear := either(st.Shear)
	sx, sy := between(st.MinScale, st.MaxScale), between(st.MinScale, st.MaxScale)
	k := float64(cellsPerPixel)
	// The inverse of rotate(shear(scale(p))), from pixels to cells.
	ax, ay := float32(k*(cos+shear*sin)/sx), float32(k*(sin-shear*cos)/sx)
	bx, by := float32(-k*sin/sy), float32(k*cos/sy)
	cx, cy := float32((Side-1)/2.0+either(st.Shift)), float32((Side-1)/2.0+either(st.Shift))
	swayX, swayY := sway(rng, either(st.Wobble)), sway(rng, either(st.Wobble))
	stroke := float32(between(st.MinStroke, st.MaxStroke))
	soft := float32(between(0.7, 1.4)) // pixels from ink to paper
	ink := float32(between(205, 255))
	noise := float32(between(0, st.Noise))
	middleX, middleY := float32(g.w-1)/2, float32(g.h-1)/2

	for y := range Side {
		for x := range Side {
			dx, dy := float32(x)-cx+swayX[y], float32(y)-cy+swayY[x]
			d := g.at(ax*dx+ay*dy+middleX, bx*dx+by*dy+middleY) - stroke
			v := ink * min(1, max(0, 0.5-d/soft))
			if noise > 0 {
				v += noise * float32(rng.NormFloat64())
			}
			// A scanner's paper is white: grey fainter than this is noise.
			if v < 24 {
				continue
			}
			img[y*Side+x] = byte(min(255, v))
		}
	}
}

// sway returns a slow wave of the given height along one side of the image.
func sway(rng *rand.Rand, height float64) (wave [Side]float32) {
	phase, turns := 2*math.Pi*rng.Float64(), 0.5+rng.Float64()
	for i := range wave {
		wave[i] = float32(height * math.Sin(phase+2*math.Pi*turns*float64(i)/Side))
	}
	return wave
}
