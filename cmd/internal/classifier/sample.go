package classifier

import (
	"math"
	"math/rand/v2"
)

// Sample generates an image from a seed: smooth colors with some noise, so that its size
// as JPEG is about that of a photograph.
func Sample(seed uint64) *Image {
	r := rand.New(rand.NewPCG(seed, Side))
	var img Image
	var wave [Channels][3]float64 // rows and columns per radian, and the phase
	for c := range wave {
		wave[c] = [3]float64{5 + 40*r.Float64(), 5 + 40*r.Float64(), 2 * math.Pi * r.Float64()}
	}
	for y := range Side {
		for x := range Side {
			for c, w := range wave {
				v := 128 + 90*math.Sin(float64(y)/w[0]+float64(x)/w[1]+w[2]) + 12*r.NormFloat64()
				img[(y*Side+x)*Channels+c] = byte(min(max(v, 0), 255))
			}
		}
	}
	return &img
}
