// Package spelling compares names, to recognize misspelt ones. It imports only the
// standard library.
package spelling

import "strings"

// Similar reports whether the edit distance of two words is at most most, ignoring
// the case of a. Two swapped letters count as one edit.
func Similar(a, b string, most int) bool {
	a = strings.ToLower(a)
	if len(a) > len(b)+most || len(b) > len(a)+most {
		return false
	}
	var before2 []int // the row before the last, for swapped letters
	before := make([]int, len(b)+1)
	for j := range before {
		before[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := before[j]
			if a[i] != b[j] {
				cost++
			}
			row[j+1] = min(cost, before[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before2[j-1]+1)
			}
		}
		before2, before = before, row
	}
	return before[len(b)] <= most
}
