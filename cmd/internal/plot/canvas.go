package plot

// canvas is a grid of braille characters, each of 2 by 4 dots. Dot (0, 0) is at
// the top left.
type canvas struct {
	w, h   int // in characters
	dots   []byte
	sparse int // only dots whose x + y is divisible by it are set; 0 means 1
}

// brailleBits are a character's dots by row and column, as Unicode orders them.
var brailleBits = [4][2]byte{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}

func newCanvas(w, h int) *canvas { return &canvas{w: w, h: h, dots: make([]byte, w*h)} }

func (c *canvas) set(x, y int) {
	if x < 0 || y < 0 || x >= 2*c.w || y >= 4*c.h || c.sparse > 1 && (x+y)%c.sparse != 0 {
		return
	}
	c.dots[y/4*c.w+x/2] |= brailleBits[y%4][x%2]
}

// at returns the character at a column and a row, or false if it has no dots.
func (c *canvas) at(col, row int) (rune, bool) {
	d := c.dots[row*c.w+col]
	return rune(0x2800 + int(d)), d != 0
}

// line draws a line between two dots (Bresenham).
func (c *canvas) line(x0, y0, x1, y1 int) {
	dx, dy := abs(x1-x0), -abs(y1-y0)
	sx, sy := sign(x1-x0), sign(y1-y0)
	for e := dx + dy; ; {
		c.set(x0, y0)
		if x0 == x1 && y0 == y1 {
			return
		}
		twice := 2 * e
		if twice >= dy {
			e += dy
			x0 += sx
		}
		if twice <= dx {
			e += dx
			y0 += sy
		}
	}
}

func abs(v int) int { return max(v, -v) }

func sign(v int) int {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}
