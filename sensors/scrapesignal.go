package sensors

import (
	"fmt"
	"math"

	"github.com/scanflow-k8s/scanflow/engine"
)

// signal makes one number of a target's samples.
func (s *scrape) signal(found findings) engine.Signal {
	points := found.points
	if len(points) == 0 {
		return engine.Signal{State: engine.Empty, Problem: s.client.secrets.hide(s.absence(&found))}
	}
	out := engine.Signal{State: engine.OK, At: points[0].at}
	for _, p := range points {
		if p.at.Before(out.At) {
			out.At = p.at // a number is as old as the oldest of its parts
		}
	}
	if s.past != nil {
		out.Window = s.past.window
	}
	var v float64
	if s.Quantile != nil {
		var observed bool
		if v, observed = quantile(s.Quantile.Rank, points); !observed {
			return engine.Signal{State: engine.Empty, Problem: "nothing was observed within " + s.past.window.String()}
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

// absence says why no page of a target gives a number.
func (s *scrape) absence(found *findings) string {
	name := s.want.name
	switch other, alike := found.other.String(), found.alike.String(); {
	case found.once:
		return fmt.Sprintf("there are not yet two samples of %s within %s", name, s.past.window)
	case other != "":
		return fmt.Sprintf("no sample of %s has the labels %s; there are %s", name, s.want.text(), other)
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
