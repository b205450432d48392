package sensors

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// mostSighted is how many different things of a page a problem names.
const mostSighted = 3

// sightings are the first few different things that pages have, and how many more
// there were.
type sightings struct {
	first []string
	more  int
}

func (s *sightings) add(thing string) {
	switch {
	case slices.Contains(s.first, thing):
	case len(s.first) < mostSighted:
		s.first = append(s.first, thing)
	default:
		s.more++
	}
}

func (s *sightings) join(others sightings) {
	for _, thing := range others.first {
		s.add(thing)
	}
	s.more += others.more
}

// String names them; "" where there are none.
func (s *sightings) String() string {
	text := strings.Join(s.first, ", ")
	if s.more > 0 {
		text += fmt.Sprintf(" and %d more", s.more)
	}
	return text
}

// describeLabels is a sample's labels without its name, as a page writes them.
func describeLabels(series labels.Labels) string {
	return clip(series.MatchLabels(false, model.MetricNameLabel).String())
}
