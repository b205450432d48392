package samples

import (
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

// Sample is an image and what is known of it.
type Sample struct {
	// ID tells it from every other: "RUN/INDEX" of the run that logged it; "" where
	// nobody asks.
	ID    string
	Image digits.Image
	Label int // the digit that it shows; digits.NoClass while nobody has said
	// What a model said of it: the model's version, "" for none; the class, digits.NoClass; the
	// probability of that.
	Model      string
	Predicted  int
	Confidence float64
	// Score is set by a detection: how critical the sample is, 0 to 1.
	Score float64
}

// FromSet makes samples of labelled images.
func FromSet(s digits.Set) []Sample {
	out := make([]Sample, s.Len())
	for i := range out {
		out[i] = Sample{Image: s.Images[i], Label: int(s.Labels[i]), Predicted: digits.NoClass}
	}
	return out
}

// Labelled are the samples whose digit is known, as a set.
func Labelled(all []Sample) (s digits.Set) {
	for i := range all {
		if all[i].Label != digits.NoClass {
			s.Images = append(s.Images, all[i].Image)
			s.Labels = append(s.Labels, byte(all[i].Label))
		}
	}
	return s
}

// Images are those of the samples.
func Images(all []Sample) []digits.Image {
	out := make([]digits.Image, len(all))
	for i := range all {
		out[i] = all[i].Image
	}
	return out
}
