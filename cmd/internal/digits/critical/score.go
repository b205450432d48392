package critical

import (
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

// Scorer scores images for one model. It is safe for concurrent use.
type Scorer struct {
	model   *digits.Model
	profile *digits.Profile
}

// NewScorer makes a scorer. The reference is all or part of the model's
// training set.
func NewScorer(m *digits.Model, reference digits.Set) (*Scorer, error) {
	p, err := digits.NewProfile(m, reference)
	if err != nil {
		return nil, err
	}
	return &Scorer{m, p}, nil
}

// Score returns the score of each image, 0 to 1: the larger of
//
//	1 - margin     the margin being p(best class) - p(next), as in margin sampling
//	               (Scheffer, Decomain and Wrobel, 2001): 1 where the model wavers
//	novelty / 2    the distance to the training set in the hidden layer
//	               (digits.Profile.Novelty), 1 at twice what is usual
//
// The first misses images on which a model is wrong and confident, such as inverted digits
// before it was trained on any; the second misses a 4 that may be a 9.
func (s *Scorer) Score(images []digits.Image) []float64 {
	predictions := s.model.PredictAll(images)
	scores := s.profile.Novelty(images)
	for i := range scores {
		scores[i] = max(1-predictions[i].Margin(), min(1, scores[i]/2))
	}
	return scores
}
