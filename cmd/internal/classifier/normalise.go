package classifier

import "math"

// normalising is the number of images for the normalization.
const normalising = 4

// spread is the standard deviation of the scores of the classes.
const spread = 3

// normalise folds a batch normalization into a layer: it scales the filters and biases so
// that each channel of the output has mean 0 and variance 1 over all pixels of the images,
// before the activation. It updates and activates the outputs too. Without it, random
// weights give the same result for every image.
func normalise(l layer, outputs [][]float32, weights, biases []float32) {
	pixels, filter := l.sideNext*l.sideNext, l.filter()
	count := float64(pixels * len(outputs))
	for c := range l.out {
		var sum, squares float64
		for _, out := range outputs {
			for _, v := range out[c*pixels : (c+1)*pixels] {
				sum, squares = sum+float64(v), squares+float64(v)*float64(v)
			}
		}
		mean := sum / count
		scale := float32(1 / math.Sqrt(max(squares/count-mean*mean, 1e-6)))
		for i := range filter {
			weights[c*filter+i] *= scale
		}
		biases[c] = -float32(mean) * scale
		for _, out := range outputs {
			for i := range pixels {
				out[c*pixels+i] *= scale
			}
		}
	}
	for _, out := range outputs {
		relu6(out, biases, pixels)
	}
}

// normaliseClasses makes the scores of the classes depend on the difference of an image
// from the mean of the images.
func normaliseClasses(l layer, images [][]float32, weights, biases []float32) {
	means := make([]float64, l.in)
	for _, img := range images {
		for c := range means {
			means[c] += float64(img[c]) / float64(len(images))
		}
	}
	var squares float64 // of the differences of one image from the mean
	for _, img := range images {
		for c, mean := range means {
			squares += (float64(img[c]) - mean) * (float64(img[c]) - mean) / float64(len(images))
		}
	}
	scale := float32(spread / math.Sqrt(max(squares, 1e-6)))
	for c := range l.out {
		filter := weights[c*l.in : (c+1)*l.in]
		var bias float64
		for i := range filter {
			filter[i] *= scale
			bias -= float64(filter[i]) * means[i]
		}
		biases[c] = float32(bias)
	}
}
