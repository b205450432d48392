package sensors

import (
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// past keeps the counters of each page for as long as a window, to tell by how
// much they went up.
type past struct {
	window time.Duration

	mu    sync.Mutex
	pages map[string]map[string][]point // address, then the sample's labels; oldest first
}

func newPast(window time.Duration) *past {
	return &past{window: window, pages: map[string]map[string][]point{}}
}

// add keeps what a page shows now.
func (h *past) add(page string, points []point, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trim(page, now)
	tracks := h.pages[page]
	if tracks == nil {
		tracks = map[string][]point{}
		h.pages[page] = tracks
	}
	for _, p := range points {
		track := tracks[p.key]
		// A page that carries its own timestamps may show the same sample again.
		if n := len(track); n == 0 || p.at.After(track[n-1].at) {
			p.read = now
			tracks[p.key] = append(track, p)
		}
	}
}

// increases is, for each counter that a page shows now and that has two samples
// within the window, its increase per second between the first and the last of
// them. A counter that fell began again from zero. One that was not a number, or infinite,
// has none: NaN.
func (h *past) increases(page string, shown []point, now time.Time) []point {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trim(page, now)
	var out []point
	for _, p := range shown {
		track := h.pages[page][p.key]
		if len(track) < 2 {
			continue
		}
		first, last, sum := track[0], track[len(track)-1], 0.0
		for i, p := range track[1:] {
			if before := track[i].value; notFinite(p.value) || notFinite(before) {
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

// forget drops what is older than the window, and the pages that are no more.
func (h *past) forget(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for page := range h.pages {
		h.trim(page, now)
	}
}

// trim drops what is older than the window, and what was read by a clock that has been
// set back since: by it, nothing would be newer for as long.
func (h *past) trim(page string, now time.Time) {
	from := now.Add(-h.window)
	tracks := h.pages[page]
	for key, track := range tracks {
		for len(track) > 0 && track[len(track)-1].read.After(now) {
			track = track[:len(track)-1]
		}
		tracks[key] = track
		n := 0
		for n < len(track) && track[n].at.Before(from) {
			n++
		}
		if n == len(track) {
			delete(tracks, key)
		} else if n > 0 {
			tracks[key] = slices.Delete(track, 0, n)
		}
	}
	if len(tracks) == 0 {
		delete(h.pages, page)
	}
}

// quantile estimates a quantile of a histogram from the increase of its
// cumulative buckets, of several pages together, as PromQL's histogram_quantile
// does: linear within a bucket, and the highest finite bound for what lies above.
// It is false where nothing was observed, and NaN where a bucket has no number.
func quantile(rank float64, buckets []point) (float64, bool) {
	byBound := map[float64]float64{}
	for _, b := range buckets {
		if notFinite(b.value) {
			return math.NaN(), true
		}
		byBound[b.le] += b.value
	}
	bounds := slices.Sorted(maps.Keys(byBound))
	if !math.IsInf(bounds[len(bounds)-1], 1) {
		return 0, false
	}
	total := byBound[math.Inf(1)]
	if total <= 0 {
		return 0, false
	}
	if len(bounds) == 1 {
		return math.NaN(), true // one bucket for everything says nothing
	}
	wanted, below, lower := rank*total, 0.0, 0.0
	if bounds[0] < 0 {
		lower = bounds[0]
	}
	for _, bound := range bounds {
		count := math.Max(below, byBound[bound])
		if count >= wanted || math.IsInf(bound, 1) {
			if math.IsInf(bound, 1) || bound == lower {
				return lower, true
			}
			return lower + (bound-lower)*(wanted-below)/(count-below), true
		}
		below, lower = count, bound
	}
	return lower, true
}

func notFinite(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }
