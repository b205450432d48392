package corrupt

import (
	"math"
	"math/rand/v2"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

// rotate turns the image about its centre, by 60 to 100 % of 12 degrees a step of
// severity, either way.
func rotate(img *digits.Image, severity float64, rng *rand.Rand) digits.Image {
	sin, cos := math.Sincos(either(rng, severity*12*math.Pi/180))
	return img.Warp(func(x, y float64) (float64, float64) { return cos*x + sin*y, cos*y - sin*x })
}

// shear slants the image, by 60 to 100 % of 0.2 pixels a row and step of severity,
// either way.
func shear(img *digits.Image, severity float64, rng *rand.Rand) digits.Image {
	slant := either(rng, severity*0.2)
	return img.Warp(func(x, y float64) (float64, float64) { return x + slant*y, y })
}

// either draws 60 to 100 % of most with a random sign, so that no corruption is too weak.
func either(rng *rand.Rand, most float64) float64 {
	amount := most * (0.6 + 0.4*rng.Float64())
	if rng.IntN(2) == 0 {
		return -amount
	}
	return amount
}

// grey rounds a value to a pixel's.
func grey(v float64) byte { return byte(min(255, max(0, math.Round(v)))) }
