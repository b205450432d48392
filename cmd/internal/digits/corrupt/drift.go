package corrupt

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

// Part is a corruption and its share of the images at the drift's full level.
type Part struct {
	Corruption
	Share float64 `json:"share"` // above 0, at most 1
}

// Mix is the list of corruptions of a drift. If the shares sum to less than 1, the rest of the
// images is unchanged.
type Mix []Part

// DefaultMix simulates a camera that was knocked over, is lit by a flickering tube, and at
// times inverts its picture. A model that was trained on clean digits loses about a quarter
// of its accuracy to it.
func DefaultMix() Mix {
	return Mix{
		{Corruption{"rotation", 3}, 0.25}, {Corruption{"stripes", 3}, 0.15},
		{Corruption{"noise", 5}, 0.15}, {Corruption{"inversion", 5}, 0.08},
	}
}

// ParseMix reads a mix as String writes it: "rotation:3=0.4,noise:5=0.2" is a
// rotation of severity 3 in 40 % of the images, and noise of severity 5 in 20 %.
// Every mistake found is in the error.
func ParseMix(text string) (Mix, error) {
	var m Mix
	var errs []error
	for word := range strings.SplitSeq(text, ",") {
		p, err := parsePart(strings.TrimSpace(word))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		m = append(m, p)
	}
	if err := errors.Join(append(errs, m.Check())...); err != nil {
		return nil, fmt.Errorf("drift %q: %w", text, err)
	}
	return m, nil
}

func parsePart(word string) (Part, error) {
	kind, rest, hasSeverity := strings.Cut(word, ":")
	severity, share, hasShare := strings.Cut(rest, "=")
	wrong := fmt.Errorf("%q is not KIND:SEVERITY=SHARE, as rotation:3=0.4", word)
	if !hasSeverity || !hasShare {
		return Part{}, wrong
	}
	var p Part
	var errs [2]error
	p.Kind = kind
	p.Severity, errs[0] = strconv.Atoi(severity)
	p.Share, errs[1] = strconv.ParseFloat(share, 64)
	if errors.Join(errs[:]...) != nil {
		return Part{}, wrong
	}
	return p, nil
}

// String formats the mix for ParseMix.
func (m Mix) String() string {
	words := make([]string, len(m))
	for i, p := range m {
		words[i] = fmt.Sprintf("%s=%s", p.Corruption, strconv.FormatFloat(p.Share, 'g', -1, 64))
	}
	return strings.Join(words, ",")
}

// Check returns every mistake of the mix.
func (m Mix) Check() error {
	var errs []error
	var sum float64
	for _, p := range m {
		errs = append(errs, p.Corruption.Check())
		if !(p.Share > 0 && p.Share <= 1) {
			errs = append(errs, fmt.Errorf("%s: share %g is not above 0 and at most 1", p.Corruption, p.Share))
		}
		sum += p.Share
	}
	if sum > 1+1e-9 {
		errs = append(errs, fmt.Errorf("the shares sum to %g, more than 1", sum))
	}
	return errors.Join(errs...)
}

// Drift is a mix whose level grows within a stream of images.
type Drift struct {
	Mix  Mix
	Seed uint64
	// Begin is the index of the first image that may be corrupted. From there the shares grow
	// linearly to their full size, over Over images.
	Begin, Over int
}

// Level returns the level of the drift at an image of the stream, 0 to 1.
func (d *Drift) Level(index int) float64 {
	if index < d.Begin {
		return 0
	}
	if index >= d.Begin+d.Over {
		return 1
	}
	return float64(index-d.Begin+1) / float64(d.Over+1)
}

// Apply returns the stream's image of that index after the drift, and its corruption; Kind is ""
// for none. The choice depends only on the seed and the index.
func (d *Drift) Apply(img *digits.Image, index int) (digits.Image, Corruption) {
	return d.Mix.apply(img, d.Level(index), stream(d.Seed, uint64(index)))
}

// ApplyAll applies the drift at its full level to a set, with a draw for each image. The labels
// are shared.
func (m Mix) ApplyAll(s digits.Set, seed uint64) digits.Set {
	out := digits.Set{Images: make([]digits.Image, s.Len()), Labels: s.Labels}
	for i := range s.Images {
		out.Images[i], _ = m.apply(&s.Images[i], 1, stream(seed, uint64(i)))
	}
	return out
}

func (m Mix) apply(img *digits.Image, level float64, rng *rand.Rand) (digits.Image, Corruption) {
	at := rng.Float64()
	for _, p := range m {
		if at < p.Share*level {
			return p.Apply(img, rng), p.Corruption
		}
		at -= p.Share * level
	}
	return *img, Corruption{}
}
