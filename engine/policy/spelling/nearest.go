package spelling

import "strings"

// longest bounds the names that are compared: the time is the product of their lengths.
const longest = 80

// Closest returns the name that another was probably meant to be: one that differs in a few
// letters. It returns "" if no name is close.
func Closest(name string, names []string) string {
	if len(name) > longest {
		return ""
	}
	best, bound := "", max(1, min(3, len(name)*2/5))+1
	for _, candidate := range names {
		if strings.EqualFold(name, candidate) {
			return candidate
		}
		if d := Distance(name, candidate); d < bound {
			best, bound = candidate, d
		}
	}
	return best
}

// Nearest is Closest, and also finds a name that differs in hyphens and underscores, or that
// begins with the other.
func Nearest(name string, names []string) string {
	best := Closest(name, names)
	if best != "" || len(name) < 3 || len(name) > longest {
		return best
	}
	for _, candidate := range names {
		if strings.HasPrefix(plain(candidate), plain(name)) {
			return candidate
		}
	}
	return ""
}

// plain returns a name without what separates its words.
func plain(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
}

// Distance counts insertions, deletions, substitutions and swaps of adjacent letters.
func Distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			change := last[j-1]
			if x[i-1] != y[j-1] {
				change++
			}
			row[j] = min(last[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}
