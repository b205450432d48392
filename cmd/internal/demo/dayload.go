package demo

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/corrupt"
	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
)

// imagesPerRequest makes the few requests of the night contain enough digits to judge a model.
const imagesPerRequest = 8

// The indexes of the phases in which a drift begins, and of the one with the kill.
const (
	morning = 1
	noon    = 2
	evening = 4
)

// dayPhases is a day's load in requests per second: one replica is enough at night, and three
// or four are needed at noon and in the evening. The second drift begins more than the
// executor's probation_ns (72 s at the demo's pace) after the last promotion that the first
// one leads to. Otherwise the executor would attribute the loss of accuracy to the promoted
// version, and roll it back.
func dayPhases(o *Options) []load.Phase {
	return []load.Phase{
		{Name: "night", Duration: o.scaled(30 * time.Second), Rate: 5},
		{Name: "morning", Duration: o.scaled(60 * time.Second), Rate: 5, To: 26, Shape: load.Ramp},
		{Name: "noon", Duration: o.scaled(60 * time.Second), Rate: 24, To: 34, Shape: load.Sine, Period: o.scaled(30 * time.Second)},
		{Name: "afternoon", Duration: o.scaled(70 * time.Second), Rate: 26, To: 12, Shape: load.Ramp},
		{Name: "evening", Duration: o.scaled(60 * time.Second), Rate: 14, To: 36, Shape: load.Ramp},
		{Name: "nightfall", Duration: o.scaled(30 * time.Second), Rate: 36, To: 5, Shape: load.Ramp},
		{Name: "late night", Duration: o.scaled(70 * time.Second), Rate: 5},
	}
}

// phaseStart returns the beginning of a phase, since the beginning of the day.
func phaseStart(phases []load.Phase, index int) time.Duration { return load.Total(phases[:index]) }

// DayDrift is one drift of the day.
type DayDrift struct {
	AtSeconds float64 `json:"at_s"` // since the load began; approximate, since arrivals are random
	Mix       string  `json:"mix"`
	at        time.Duration
	drift     corrupt.Drift
}

// dayDrifts splits the drift of scanflow demo drift into two: in the morning the camera is
// moved, and in the evening the light gets worse. After both, the digits are distorted like
// the held-out digits of the training workflow.
func dayDrifts(o *Options, phases []load.Phase) []DayDrift {
	all := corrupt.DefaultMix()
	first, second := all[:2], append(corrupt.Mix{}, all[2:]...)
	left := 1.0
	for _, p := range first {
		left -= p.Share
	}
	for i := range second { // relative to the digits that the first drift does not affect
		second[i].Share /= left
	}
	var out []DayDrift
	for i, begins := range []struct {
		phase int
		mix   corrupt.Mix
	}{{morning, first}, {evening, second}} {
		at := phaseStart(phases, begins.phase)
		begin := expectedDigits(phases, at)
		out = append(out, DayDrift{AtSeconds: seconds(at), Mix: all[2*i : 2*i+2].String(), at: at, drift: corrupt.Drift{
			Mix: begins.mix, Seed: o.Seed + uint64(i), Begin: begin, Over: expectedDigits(phases, at+o.scaled(driftOver)) - begin,
		}})
	}
	return out
}

// expectedDigits is the expected number of digits up to a time of the load.
func expectedDigits(phases []load.Phase, until time.Duration) int {
	const slices = 500
	var requests float64
	for _, p := range phases {
		d := min(p.Duration, until)
		for i := range slices {
			requests += p.RateAt(time.Duration((float64(i)+0.5)/slices*float64(d))) * d.Seconds() / slices
		}
		if until -= d; until <= 0 {
			break
		}
	}
	return int(math.Round(requests * imagesPerRequest))
}

// dayDigits are the digits of the requests.
type dayDigits struct {
	stream digits.Set
	drifts []DayDrift
}

// image returns the i-th digit of the day, distorted by the drifts.
func (d *dayDigits) image(i int) digits.Image {
	img := d.stream.Images[i%d.stream.Len()]
	for k := range d.drifts {
		if out, what := d.drifts[k].drift.Apply(&img, i); what.Kind != "" {
			return out
		}
	}
	return img
}

// body returns the pixels of the n-th request's digits.
func (d *dayDigits) body(n int) (contentType string, body []byte) {
	var b bytes.Buffer
	for i := range imagesPerRequest {
		img := d.image(n*imagesPerRequest + i)
		b.Write(img[:])
	}
	return "application/octet-stream", b.Bytes()
}

// header has the labels of the digits, like feedback that arrives later.
func (d *dayDigits) header(n int) map[string]string {
	var labels []string
	for i := range imagesPerRequest {
		labels = append(labels, fmt.Sprint(d.stream.Labels[(n*imagesPerRequest+i)%d.stream.Len()]))
	}
	return map[string]string{"X-Label": strings.Join(labels, ",")}
}
