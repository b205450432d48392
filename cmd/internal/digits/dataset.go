package digits

import (
	"errors"
	"fmt"
)

const (
	// Side is the width and the height of an image, in pixels.
	Side = 28
	// Pixels is the number of pixels of an image.
	Pixels = Side * Side
	// Classes is the number of different digits.
	Classes = 10
	// NoClass is the label of a digit that is not known.
	NoClass = -1
)

// Image is one digit, row by row from the top left: 0 is paper, 255 is ink.
type Image [Pixels]byte

// Set is a set of images with their labels.
type Set struct {
	Images []Image
	Labels []byte
}

// Len returns the number of samples.
func (s Set) Len() int { return len(s.Images) }

// Slice returns the samples from index from up to, not including, index to. It shares their
// memory.
func (s Set) Slice(from, to int) Set {
	return Set{Images: s.Images[from:to], Labels: s.Labels[from:to]}
}

// Join returns a copy of the samples of all sets, in order.
func Join(sets ...Set) (out Set) {
	for _, s := range sets {
		out.Images = append(out.Images, s.Images...)
		out.Labels = append(out.Labels, s.Labels...)
	}
	return out
}

// check returns an error if the set can't be the part of a data set that role names.
func (s Set) check(role string) error {
	if s.Len() == 0 {
		return fmt.Errorf("the %s set has no images", role)
	}
	if len(s.Labels) != s.Len() {
		return fmt.Errorf("the %s set has %d images and %d labels", role, s.Len(), len(s.Labels))
	}
	for i, l := range s.Labels {
		if l >= Classes {
			return fmt.Errorf("the %s set's label %d is %d, which is no digit", role, i, l)
		}
	}
	return nil
}

// Dataset holds a model's training set and its separate test set.
type Dataset struct {
	Train Set
	Test  Set
	// Source is the origin of the samples, for a person: "rendered", "IDX files".
	Source string
}

func (d Dataset) check() error {
	return errors.Join(d.Train.check("training"), d.Test.check("test"))
}
