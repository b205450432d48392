package sensors

import (
	"math"
	"slices"
	"sync"
	"time"
)

// rateWindow keeps the counters of each page for the length of the window, to compute their
// rates.
type rateWindow struct {
	window time.Duration

	mu      sync.Mutex
	history map[string]map[string][]point // by address, then by the sample's key; oldest first
}

func newRateWindow(window time.Duration) *rateWindow {
	return &rateWindow{window: window, history: map[string]map[string][]point{}}
}

// add records the samples that a page has now.
func (h *rateWindow) add(page string, points []point, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trim(page, now)
	byKey := h.history[page]
	if byKey == nil {
		byKey = map[string][]point{}
		h.history[page] = byKey
	}
	for _, p := range points {
		samples := byKey[p.key]
		// A page that carries its own timestamps may show the same sample again.
		if n := len(samples); n == 0 || p.at.After(samples[n-1].at) {
			p.readAt = now
			byKey[p.key] = append(samples, p)
		}
	}
}

// rates returns the increase per second of each counter that the page has now and that has at
// least two samples within the window, between the first and the last of them. A counter that
// decreased was reset to zero. The rate is NaN if one of the values is NaN or infinite.
func (h *rateWindow) rates(page string, shown []point, now time.Time) []point {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trim(page, now)
	var out []point
	for _, p := range shown {
		samples := h.history[page][p.key]
		if len(samples) < 2 {
			continue
		}
		first, last, sum := samples[0], samples[len(samples)-1], 0.0
		for i, p := range samples[1:] {
			if before := samples[i].value; notFinite(p.value) || notFinite(before) {
				sum = math.NaN()
			} else if p.value >= before {
				sum += p.value - before
			} else {
				sum += p.value
			}
		}
		last.value = sum / last.at.Sub(first.at).Seconds()
		out = append(out, last)
	}
	return out
}

// prune drops the samples that are older than the window, and the pages without samples.
func (h *rateWindow) prune(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for page := range h.history {
		h.trim(page, now)
	}
}

// trim drops the samples of a page that are older than the window, and those with a read time
// in the future. They were read before the clock was set back, and would otherwise count as
// the newest until the clock passes them.
func (h *rateWindow) trim(page string, now time.Time) {
	from := now.Add(-h.window)
	byKey := h.history[page]
	for key, samples := range byKey {
		for len(samples) > 0 && samples[len(samples)-1].readAt.After(now) {
			samples = samples[:len(samples)-1]
		}
		byKey[key] = samples
		n := 0
		for n < len(samples) && samples[n].at.Before(from) {
			n++
		}
		if n == len(samples) {
			delete(byKey, key)
		} else if n > 0 {
			byKey[key] = slices.Delete(samples, 0, n)
		}
	}
	if len(byKey) == 0 {
		delete(h.history, page)
	}
}
