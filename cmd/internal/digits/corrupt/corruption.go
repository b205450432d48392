package corrupt

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

// MaxSeverity is the greatest severity of a corruption; 1 is the least.
const MaxSeverity = 5

// kinds are all corruptions. Each takes a severity from 1 to MaxSeverity, and draws the
// differences between images from rng.
var kinds = map[string]func(img *digits.Image, severity float64, rng *rand.Rand) digits.Image{
	"rotation":   rotate,
	"shear":      shear,
	"blur":       blur,
	"noise":      noise,
	"stripes":    stripes,
	"inversion":  invert,
	"brightness": brighten,
}

// Kinds returns the names of the corruptions, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// Corruption is a kind of corruption and its severity.
type Corruption struct {
	Kind     string `json:"kind"`
	Severity int    `json:"severity"` // 1 to MaxSeverity
}

// String formats the corruption for Parse: "rotation:3".
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

// Apply returns the corrupted image. The corruption must be valid by Check.
func (c Corruption) Apply(img *digits.Image, rng *rand.Rand) digits.Image {
	return kinds[c.Kind](img, float64(c.Severity), rng)
}

// stream returns the random source for one image.
func stream(seed, index uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed^0x636f7272757074, index)) // apart from the rendering's
}
