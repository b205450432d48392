package corrupt

import (
	"math"
	"math/rand/v2"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

// blur spreads each pixel by a Gaussian of 0.5 pixels, and 0.3 more a step of severity.
func blur(img *digits.Image, severity float64, _ *rand.Rand) digits.Image {
	sigma := 0.5 + 0.3*severity
	reach := int(math.Ceil(3 * sigma))
	kernel := make([]float64, 2*reach+1)
	var sum float64
	for i := range kernel {
		d := float64(i - reach)
		kernel[i] = math.Exp(-d * d / (2 * sigma * sigma))
		sum += kernel[i]
	}
	var rows, out [digits.Pixels]float64
	for i, v := range img {
		rows[i] = float64(v)
	}
	out = spread(spread(rows, kernel, sum, 1), kernel, sum, digits.Side)
	var spoilt digits.Image
	for i, v := range out {
		spoilt[i] = grey(v)
	}
	return spoilt
}

// spread folds the kernel along the rows (step 1) or the columns (step Side).
func spread(in [digits.Pixels]float64, kernel []float64, sum float64, step int) (out [digits.Pixels]float64) {
	reach := len(kernel) / 2
	for i := range out {
		place := i % digits.Side
		if step != 1 {
			place = i / digits.Side
		}
		for k, weight := range kernel {
			if d := k - reach; place+d >= 0 && place+d < digits.Side {
				out[i] += in[i+d*step] * weight / sum
			}
		}
	}
	return out
}

// noise adds a normal error to each pixel, of 16 grey levels a step of severity.
func noise(img *digits.Image, severity float64, rng *rand.Rand) (out digits.Image) {
	for i, v := range img {
		out[i] = grey(float64(v) + 16*severity*rng.NormFloat64())
	}
	return out
}

// stripes inverts as many pairs of columns as the severity, evenly spaced, from a random column.
func stripes(img *digits.Image, severity float64, rng *rand.Rand) digits.Image {
	const width = 2
	apart, begin := digits.Side/severity, rng.Float64()
	out := *img
	for i := range out {
		if math.Mod(float64(i%digits.Side)+begin*apart, apart) < width {
			out[i] = 255 - out[i]
		}
	}
	return out
}

// invert swaps paper and ink. The new ink gets a fifth of its full strength per step of
// severity.
func invert(img *digits.Image, severity float64, _ *rand.Rand) (out digits.Image) {
	for i, v := range img {
		out[i] = grey(float64(255-v) * severity / MaxSeverity)
	}
	return out
}

// brighten fades the contrast: paper gets 36 grey levels a step of severity, and
// ink stays ink.
func brighten(img *digits.Image, severity float64, _ *rand.Rand) (out digits.Image) {
	paper := 36 * severity
	for i, v := range img {
		out[i] = grey(paper + float64(v)*(255-paper)/255)
	}
	return out
}
