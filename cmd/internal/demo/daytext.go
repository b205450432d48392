package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// text formats the report: the phases, the rounds, the chart, the acts and waits of the
// agents, and a verdict.
func (r *DayReport) text(d *day) string {
	var b strings.Builder
	s := d.screen
	b.WriteString(r.phaseTable(s) + "\n")
	b.WriteString(r.roundTable(s) + "\n")
	b.WriteString(r.chart(d).String())
	fmt.Fprintf(&b, "\n%s\n%s", s.title("Who did what, and how often it had to wait"), r.workTable(s))
	fmt.Fprintf(&b, "\n%s\n%s", s.title("Who waited for an agent of the other layer"), r.waitText(s))
	fmt.Fprintf(&b, "\n%s\n%s", s.title("What ran side by side: fields differ, and no guard objected"), r.pairText(s))
	fmt.Fprintf(&b, "\n%s\n%s", s.title("Who wrote which field"), r.fieldTable(s))
	fmt.Fprintf(&b, "\n%s", r.lossText())
	if r.Held {
		fmt.Fprintf(&b, "\n%s %d rounds raised the accuracy, p99 stayed under %.0f ms wherever the load had settled, replicas followed the load, no request was lost beside those of the replica that died, and no field was written by two agents.\n",
			s.good("It held:"), len(r.Rounds), r.Objective.P99MS)
	} else {
		fmt.Fprintf(&b, "\n%s\n  %s\n", s.alarm("It did not hold:"), strings.Join(r.Missed, "\n  "))
	}
	return b.String()
}

// at formats a time of the load as mm:ss.
func (s *screen) at(atSeconds float64) string {
	return s.clock(s.startTime().Add(time.Duration(atSeconds * float64(time.Second))))
}

func (r *DayReport) phaseTable(s *screen) string {
	table := plot.Table{Color: s.color, Right: []bool{false, true, true, true, true, true, true, true, true},
		Header: []string{"phase", "from", "req/s", "p50 ms", "p99 ms", "p99 settled", "not answered", "replicas", "right %"}}
	for _, p := range r.Phases {
		accuracy := "–"
		if p.Accuracy != nil {
			accuracy = fmt.Sprintf("%.1f", 100**p.Accuracy)
		}
		table.Rows = append(table.Rows, []string{p.Name, s.at(p.StartS), fmt.Sprintf("%.1f", p.Rate), fmt.Sprintf("%.0f", p.P50), fmt.Sprintf("%.0f", p.P99),
			orDash(p.SettledP99), fmt.Sprintf("%.2f%%", 100*p.ErrorRate), fmt.Sprintf("%d..%d", p.Replicas.Min, p.Replicas.Max), accuracy})
	}
	return table.String()
}

func (r *DayReport) roundTable(s *screen) string {
	table := plot.Table{Color: s.color, Right: []bool{true, true, true, true, true, true},
		Header: []string{"round", "version", "training digits", "accuracy before", "after", "in service at"}}
	for _, round := range r.Rounds {
		table.Rows = append(table.Rows, []string{fmt.Sprint(round.Round), round.Version, fmt.Sprint(round.TrainSize), fmt.Sprintf("%.4f", round.Before), fmt.Sprintf("%.4f", round.After), s.at(round.AtSeconds)})
	}
	text := table.String() + "Accuracies are the registry's, on held-out digits that both drifts have spoilt.\n"
	if more := r.Trainings - len(r.Rounds); more > 0 {
		text += fmt.Sprintf("%d more retrainings ended, of which no model came into service: no better by the planner's margin, or too late.\n", more)
	}
	if r.RolledBack > 0 {
		text += fmt.Sprintf("%d times a version that had served before came back into service.\n", r.RolledBack)
	}
	return text
}

func (r *DayReport) workTable(s *screen) string {
	table := plot.Table{Color: s.color, Right: []bool{false, false, false, true, true, true, true, true},
		Header: []string{"layer", "agent", "verb", "done", "failed", "waited: other layer", "own layer", "own acts, guards"}}
	for _, w := range r.Agents {
		table.Rows = append(table.Rows, []string{w.Layer, w.Agent, w.Primitive, fmt.Sprint(w.Done), fmt.Sprint(w.Failed), fmt.Sprint(w.ForOtherLayer), fmt.Sprint(w.ForOwnLayer), fmt.Sprint(w.ForOwnGuards)})
	}
	return table.String()
}

// waitText has a block for each wait: the proposal, and below the causes of the wait in order,
// each with its decision.
func (r *DayReport) waitText(s *screen) string {
	var b strings.Builder
	line := func(at float64, paint func(string) string, text, decision string) {
		fmt.Fprintf(&b, "    %s  %s %s\n", s.at(at), paint(fmt.Sprintf("%-62s", text)), s.dim(decision))
	}
	for i := range r.Waits {
		w := &r.Waits[i]
		if !w.acrossLayers(r.layers) {
			continue
		}
		fmt.Fprintf(&b, "  %s wanted to %s %s (%s)\n", w.Agent, w.Primitive, w.Wanted, w.Reason)
		for _, h := range w.For {
			why := h.By
			if h.Agent != "" {
				why += ": " + h.Agent + " holds " + h.Claim
			}
			if h.Seconds != nil {
				why += fmt.Sprintf(", %.1f s", *h.Seconds)
			}
			line(h.AtSeconds, func(text string) string { return text }, why, h.Decision)
		}
		if w.Seconds != nil {
			line(w.AtSeconds+*w.Seconds, s.good, fmt.Sprintf("admitted, after %.1f s", *w.Seconds), w.Decision)
		} else {
			fmt.Fprintf(&b, "           %s\n", map[string]string{waitDropped: "not wanted any more some time later", waitOpen: "still waits at the end"}[w.Ended])
		}
	}
	if b.Len() == 0 {
		return "  Nobody: no agent wanted what another layer's acts were in the way of.\n"
	}
	for _, layer := range []string{application, infrastructure} {
		if r.countWaits(layer) == 0 {
			fmt.Fprintf(&b, "  No agent of the %s layer waited for the other: nothing of what it wrote was claimed there.\n", layer)
		}
	}
	return b.String()
}

// countWaits counts a layer's waits for the other layer.
func (r *DayReport) countWaits(layer string) (n int) {
	for i := range r.Waits {
		if r.layers[r.Waits[i].Agent] == layer && r.Waits[i].acrossLayers(r.layers) {
			n++
		}
	}
	return n
}

func (r *DayReport) pairText(s *screen) string {
	var b strings.Builder
	for _, p := range r.SideBySide {
		fmt.Fprintf(&b, "  %s  %s: %s (%s) %s\n         while %s held %s for its %s %s\n", s.at(p.Second.AtSeconds), p.Second.Agent, p.Second.Primitive+" "+shortText(p.Second.Did), p.Second.Claim, s.dim(p.Second.Decision),
			p.First.Agent, p.First.Claim, p.First.Primitive, s.dim(p.First.Decision))
	}
	if b.Len() == 0 {
		return "  Nothing.\n"
	}
	return b.String()
}

func (r *DayReport) fieldTable(s *screen) string {
	table := plot.Table{Color: s.color, Right: []bool{false, false, false, true}, Header: []string{"target", "claim", "written by", "acts"}}
	for _, f := range r.Fields {
		acts := 0
		for _, n := range f.Acts {
			acts += n
		}
		table.Rows = append(table.Rows, []string{f.Target, f.Claim, strings.Join(f.writers(), ", "), fmt.Sprint(acts)})
	}
	return table.String()
}

func (r *DayReport) lossText() string {
	q, k := &r.Requests, &r.Kill
	text := fmt.Sprintf("%d requests, of which %d were not answered as they should be", q.Sent, q.Lost)
	if q.Lost > 0 {
		text += fmt.Sprintf(" (%d of them under way while the replica died)", q.LostToKill)
	}
	text += fmt.Sprintf(". The generator was %.0f ms late at the worst, which is in the latencies.\n", q.LagMS)
	if k.Pod == "" {
		return text + "No replica was killed.\n"
	}
	text += fmt.Sprintf("At %d:%02d replica %s was killed (%s), with %d ready; ", int(k.AtSeconds)/60, int(k.AtSeconds)%60, k.Pod, k.How, k.Ready)
	if k.BackSeconds == nil {
		return text + "it did not come back.\n"
	}
	return text + fmt.Sprintf("as many as were wanted were ready again after %.1f s.\n", *k.BackSeconds)
}
