package digits

import "fmt"

// Evaluation holds the results of a model on a set.
type Evaluation struct {
	Count    int     `json:"count"`
	Accuracy float64 `json:"accuracy"` // 0 to 1
	// Confusion counts the samples by the digit that they show, then by the digit predicted.
	Confusion [Classes][Classes]int `json:"confusion"`
}

// Recall returns the share of a digit's samples that were recognised; ok is false if the set has
// none.
func (e *Evaluation) Recall(class int) (share float64, ok bool) {
	total := 0
	for _, n := range e.Confusion[class] {
		total += n
	}
	if total == 0 {
		return 0, false
	}
	return float64(e.Confusion[class][class]) / float64(total), true
}

// Evaluate classifies a whole set, in batches on all cores.
func Evaluate(m *Model, set Set) (Evaluation, error) {
	if err := set.check("evaluated"); err != nil {
		return Evaluation{}, fmt.Errorf("evaluate: %w", err)
	}
	e := Evaluation{Count: set.Len()}
	right := 0
	m.each(set.Images, func(i int, a *activations, row int) {
		truth, guess := int(set.Labels[i]), argmax(a.p.Data[row*Classes:(row+1)*Classes])
		e.Confusion[truth][guess]++
		if truth == guess {
			right++
		}
	})
	e.Accuracy = float64(right) / float64(e.Count)
	return e, nil
}

// PredictAll classifies images in batches, which is faster than one by one.
func (m *Model) PredictAll(images []Image) []Prediction {
	out := make([]Prediction, len(images))
	m.each(images, func(i int, a *activations, row int) {
		out[i] = prediction(a.p.Data[row*Classes : (row+1)*Classes])
	})
	return out
}

// evaluated is the number of images in a batch.
const evaluated = 256

// each runs the network on images, and calls a function with each row of the output.
func (m *Model) each(images []Image, see func(i int, a *activations, row int)) {
	a := newActivations(min(evaluated, len(images)), m.net.hidden())
	for from := 0; from < len(images); from += evaluated {
		rows := min(evaluated, len(images)-from)
		for row := range rows {
			a.load(row, &images[from+row])
		}
		m.net.forward(a, rows)
		for row := range rows {
			see(from+row, a, row)
		}
	}
}
