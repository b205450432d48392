package classifier

// ImageBytes is how long an image is as raw bytes.
const ImageBytes = Side * Side * Channels

// Image is Side rows of Side pixels of red, green and blue.
type Image [ImageBytes]byte

// planes writes the image channel after channel, from -1 to 1.
func (img *Image) planes(to []float32) {
	const pixels = Side * Side
	for c := range Channels {
		plane := to[c*pixels : (c+1)*pixels]
		for i := range plane {
			plane[i] = float32(img[i*Channels+c])/127.5 - 1
		}
	}
}
