package sensors

import (
	"fmt"
	"math"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
)

// signal aggregates the samples of a target into one value.
func (s *scrape) signal(found expositionSamples) engine.Signal {
	points := found.points
	if len(points) == 0 {
		return engine.Signal{State: engine.Empty, Problem: s.client.secrets.redactLine(s.absence(&found))}
	}
	out := engine.Signal{State: engine.OK, At: points[0].at}
	for _, p := range points {
		if p.at.Before(out.At) {
			out.At = p.at // an aggregate is as old as its oldest sample
		}
	}
	if s.rates != nil {
		out.Window = s.rates.window
	}
	var v float64
	if s.Quantile != nil {
		var observed bool
		if v, observed = histogramQuantile(s.Quantile.Rank, points); !observed {
			return engine.Signal{State: engine.Empty, Problem: "nothing was observed within " + s.rates.window.String()}
		}
	} else {
		v = aggregate(s.Aggregate, points)
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		out.State, out.Problem = engine.NaN, fmt.Sprintf("the value is %g", v)
		return out
	}
	out.Value = v
	return out
}

// byPod makes one signal of the pages of a target's pods, each with the number of its pod.
func (s *scrape) byPod(pages []podPage, found []expositionSamples, errs []error) engine.Signal {
	if len(pages) == 0 {
		return engine.Signal{State: engine.Empty, Problem: "no pod of the target is ready"}
	}
	all := make(members, len(pages))
	for _, p := range pages {
		err := p.err
		if err == nil {
			err = errs[p.index]
		}
		if err != nil {
			all[p.pod] = engine.Signal{State: engine.Error, Problem: strings.ReplaceAll(err.Error(), "\n", "; ")}
			continue
		}
		all[p.pod] = s.signal(found[p.index])
	}
	return all.signal("the pods")
}

// absence explains why no page of a target has a selected sample.
func (s *scrape) absence(found *expositionSamples) string {
	name := s.selector.name
	switch other, alike := found.otherLabels.String(), found.similarNames.String(); {
	case found.present:
		return fmt.Sprintf("there are not yet two samples of %s within %s", name, s.rates.window)
	case other != "":
		return fmt.Sprintf("no sample of %s has the labels %s; there are %s", name, s.selector.labelText(), other)
	case alike != "":
		return fmt.Sprintf("no page has a sample of %s; there are %s", name, alike)
	}
	return "no page has a sample of " + name
}

func aggregate(how string, points []point) float64 {
	v := points[0].value
	for _, p := range points[1:] {
		switch how {
		case "max":
			v = math.Max(v, p.value)
		case "min":
			v = math.Min(v, p.value)
		default:
			v += p.value
		}
	}
	if how == "avg" {
		v /= float64(len(points))
	}
	return v
}
