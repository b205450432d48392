package digits

import "fmt"

// Evaluation is how a model does on a set.
type Evaluation struct {
	Count    int     `json:"count"`
	Accuracy float64 `json:"accuracy"` // 0 to 1
	// Confusion counts the samples by the digit that they show, then by the digit predicted.
	Confusion [Classes][Classes]int `json:"confusion"`
}

// Recall is the share of a digit's samples that were recognised; ok is false where the set has none.
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
	const batch = 256
	e := Evaluation{Count: set.Len()}
	a := newActivations(batch, m.net.hidden())
	right := 0
	for from := 0; from < set.Len(); from += batch {
		rows := min(batch, set.Len()-from)
		for i := range rows {
			a.load(i, &set.Images[from+i])
		}
		m.net.forward(a, rows)
		for i := range rows {
			truth, guess := int(set.Labels[from+i]), argmax(a.p.Data[i*Classes:(i+1)*Classes])
			e.Confusion[truth][guess]++
			if truth == guess {
				right++
			}
		}
	}
	e.Accuracy = float64(right) / float64(e.Count)
	return e, nil
}
