package digits

import "fmt"

// Source selects the digits: MNIST's own files, or rendered ones.
type Source struct {
	Folder string // of IDX files (LoadIDX); "" renders
	Seed   uint64 // of rendered digits
	Count  int    // the most to train a first model on: 6,000
}

// Parts are the digits for a model's lifetime. No two parts share a sample.
type Parts struct {
	// Base trains the first model.
	Base Set
	// Stream holds the digits that are classified in service.
	Stream Set
	// Held compares models. It is neither trained on nor served.
	Held   Set
	Source string // for a person: "rendered", "IDX files"
}

const (
	heldOut      = 2000 // of rendered digits
	streamDigits = 12000
	// streamSeed separates the stream's digits from the others of a seed.
	streamSeed = 0x73747265616d
)

// Load draws or reads the parts. Of MNIST's files, the first five eighths of the training set
// (at most Count) are the base, the rest of it is the stream, and the test set is held out: with
// the test files alone 5,000, 3,000 and 2,000.
func (s Source) Load() (Parts, error) {
	count := s.Count
	defaultTo(&count, 6000)
	if count < 1 {
		return Parts{}, fmt.Errorf("digits to train on: %d is below 1", count)
	}
	if s.Folder == "" {
		r, err := NewRenderer(DefaultStyle())
		if err != nil {
			return Parts{}, err
		}
		d := r.Dataset(count, heldOut, s.Seed)
		return Parts{Base: d.Train, Held: d.Test, Stream: r.Set(streamDigits, s.Seed^streamSeed), Source: d.Source}, nil
	}
	d, err := LoadIDX(s.Folder)
	if err != nil {
		return Parts{}, err
	}
	split := d.Train.Len() * 5 / 8
	base := d.Train.Slice(0, min(split, count))
	p := Parts{Base: base, Stream: d.Train.Slice(split, d.Train.Len()), Held: d.Test, Source: d.Source}
	if p.Base.Len() == 0 {
		return Parts{}, fmt.Errorf("read digits from %s: %d digits to train on are too few to share out", s.Folder, d.Train.Len())
	}
	return p, nil
}
