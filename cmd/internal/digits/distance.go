package digits

import "math"

// squaredDistances replaces each cell of a grid by its squared distance to the
// nearest cell that is 0. Cells are 0 or +Inf on entry. Distances separate: first
// along each column, then along each row over the columns' results, each as the
// lower envelope of parabolas (Felzenszwalb and Huttenlocher, 2012).
func squaredDistances(grid []float64, w, h int) {
	n := max(w, h)
	e := envelope{line: make([]float64, n), apex: make([]int, n), from: make([]float64, n+1)}
	for x := range w {
		for y := range h {
			e.line[y] = grid[y*w+x]
		}
		e.transform(h, func(y int, d float64) { grid[y*w+x] = d })
	}
	for y := range h {
		copy(e.line, grid[y*w:(y+1)*w])
		e.transform(w, func(x int, d float64) { grid[y*w+x] = d })
	}
}

type envelope struct {
	line []float64 // the height of the parabola at each place
	apex []int     // the parabolas of the envelope, left to right
	from []float64 // where each one begins to be the lowest
}

func (e *envelope) transform(n int, set func(i int, d float64)) {
	k := -1
	for q := range n {
		if math.IsInf(e.line[q], 1) {
			continue
		}
		start := math.Inf(-1)
		for k >= 0 {
			p := e.apex[k]
			start = (e.line[q] - e.line[p] + float64(q*q-p*p)) / float64(2*(q-p))
			if start > e.from[k] {
				break
			}
			k--
			start = math.Inf(-1)
		}
		k++
		e.apex[k], e.from[k] = q, start
	}
	if k < 0 {
		return // nothing near: all stay infinite
	}
	e.from[k+1] = math.Inf(1)
	j := 0
	for q := range n {
		for e.from[j+1] < float64(q) {
			j++
		}
		p := e.apex[j]
		set(q, e.line[p]+float64((q-p)*(q-p)))
	}
}
