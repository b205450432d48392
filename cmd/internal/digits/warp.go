package digits

import "math"

// Warp takes each pixel from the point to which back maps it. Both are in pixels from the
// image's centre, x to the right and y down. A point between pixels is interpolated; a point
// outside is the nearest pixel of the edge.
func (img *Image) Warp(back func(x, y float64) (fromX, fromY float64)) (out Image) {
	const middle = (Side - 1) / 2.0
	for y := range Side {
		for x := range Side {
			fromX, fromY := back(float64(x)-middle, float64(y)-middle)
			out[y*Side+x] = img.between(clamp(fromX+middle), clamp(fromY+middle))
		}
	}
	return out
}

func clamp(v float64) float64 { return min(Side-1, max(0, v)) }

func (img *Image) between(x, y float64) byte {
	left, top := int(x), int(y)
	right, bottom := min(Side-1, left+1), min(Side-1, top+1)
	fx, fy := x-float64(left), y-float64(top)
	at := func(x, y int) float64 { return float64(img[y*Side+x]) }
	upper := at(left, top)*(1-fx) + at(right, top)*fx
	lower := at(left, bottom)*(1-fx) + at(right, bottom)*fx
	return byte(math.Round(upper*(1-fy) + lower*fy))
}
