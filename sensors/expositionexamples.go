package sensors

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// maxExamples bounds the examples in a message.
const maxExamples = 3

// examples holds the first few different texts, and counts the others.
type examples struct {
	first []string
	more  int
}

func (e *examples) add(text string) {
	switch {
	case slices.Contains(e.first, text):
	case len(e.first) < maxExamples:
		e.first = append(e.first, text)
	default:
		e.more++
	}
}

func (e *examples) merge(others examples) {
	for _, text := range others.first {
		e.add(text)
	}
	e.more += others.more
}

// String lists the examples. It returns "" if there are none.
func (e *examples) String() string {
	list := strings.Join(e.first, ", ")
	if e.more > 0 {
		list += fmt.Sprintf(" and %d more", e.more)
	}
	return list
}

// describeLabels formats a sample's labels without its name.
func describeLabels(series labels.Labels) string {
	return clip(series.MatchLabels(false, model.MetricNameLabel).String())
}
