package digits

import "strings"

// previewInk is the grey level from which a pixel shows in a preview.
const previewInk = 96

// ASCII shows a digit in a terminal, two pixels to a character: 14 lines of 28
// half blocks.
func ASCII(img *Image) []string {
	lines := make([]string, 0, Side/2)
	for y := 0; y < Side; y += 2 {
		var b strings.Builder
		for x := range Side {
			b.WriteRune(halfBlock(img[y*Side+x] >= previewInk, img[(y+1)*Side+x] >= previewInk))
		}
		lines = append(lines, b.String())
	}
	return lines
}

// Strip shows digits side by side at half their size: 6 lines, 12 columns a digit
// (the outermost pixels, which are paper, are left out).
func Strip(imgs []Image) []string {
	const edge, size = 2, (Side - 4) / 2
	lines := make([]string, size/2)
	for row := range lines {
		var b strings.Builder
		for i := range imgs {
			inked := func(x, y int) bool {
				at := (edge+2*y)*Side + edge + 2*x
				sum := int(imgs[i][at]) + int(imgs[i][at+1]) + int(imgs[i][at+Side]) + int(imgs[i][at+Side+1])
				return sum >= 4*previewInk
			}
			for x := range size {
				b.WriteRune(halfBlock(inked(x, 2*row), inked(x, 2*row+1)))
			}
		}
		lines[row] = strings.TrimRight(b.String(), " ")
	}
	return lines
}

func halfBlock(top, bottom bool) rune {
	switch {
	case top && bottom:
		return '█'
	case top:
		return '▀'
	case bottom:
		return '▄'
	}
	return ' '
}
