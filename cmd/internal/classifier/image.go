package classifier

// ImageBytes is the size of a raw image, in bytes.
const ImageBytes = Side * Side * Channels

// Image is Side rows of Side pixels of red, green and blue.
type Image [ImageBytes]byte

// planes writes the image by channels, scaled to -1 to 1.
func (img *Image) planes(to []float32) {
	const pixels = Side * Side
	for c := range Channels {
		plane := to[c*pixels : (c+1)*pixels]
		for i := range plane {
			plane[i] = float32(img[i*Channels+c])/127.5 - 1
		}
	}
}
