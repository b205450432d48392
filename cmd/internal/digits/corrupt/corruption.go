package corrupt

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

// MaxSeverity is the strongest that a corruption gets; 1 is the weakest.
const MaxSeverity = 5

// kinds are the corruptions there are. Each gets a severity from 1 to MaxSeverity,
// and draws what differs from image to image from rng.
var kinds = map[string]func(img *digits.Image, severity float64, rng *rand.Rand) digits.Image{
	"rotation":   rotate,
	"shear":      shear,
	"blur":       blur,
	"noise":      noise,
	"stripes":    stripes,
	"inversion":  invert,
	"brightness": brighten,
}

// Kinds are the names of the corruptions, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// Corruption is one way to spoil an image.
type Corruption struct {
	Kind     string `json:"kind"`
	Severity int    `json:"severity"` // 1 to MaxSeverity
}

// String is the corruption as Parse reads it: "rotation:3".
func (c Corruption) String() string { return fmt.Sprintf("%s:%d", c.Kind, c.Severity) }

// Check returns an error if the corruption is not valid.
func (c Corruption) Check() error {
	if _, known := kinds[c.Kind]; !known {
		return fmt.Errorf("there is no corruption %q; there are %s", c.Kind, strings.Join(Kinds(), ", "))
	}
	if c.Severity < 1 || c.Severity > MaxSeverity {
		return fmt.Errorf("%s: severity %d is not between 1 and %d", c.Kind, c.Severity, MaxSeverity)
	}
	return nil
}

// Apply is the image, spoilt. The corruption must be one that Check finds right.
func (c Corruption) Apply(img *digits.Image, rng *rand.Rand) digits.Image {
	return kinds[c.Kind](img, float64(c.Severity), rng)
}

// stream is the source of what is drawn for one image.
func stream(seed, index uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed^0x636f7272757074, index)) // apart from the rendering's
}
