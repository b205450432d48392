package pod

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Cores are processor cores of this machine by their numbers, in ascending order. With
// none of them a process runs on all.
type Cores []int

// mostCores bounds the numbers: the set that the kernel is given has room for so many.
const mostCores = 1024

// ParseCores reads numbers and ranges with commas between them, as the kernel writes
// them: "0", "0-1", "0-1,3". The error names every part that can't be read, and every
// core that is named twice.
func ParseCores(text string) (Cores, error) {
	var out Cores
	var errs []error
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := strconv.ParseUint(from, 10, 16)
		last := first
		if err == nil && isRange {
			last, err = strconv.ParseUint(to, 10, 16)
		}
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%q is neither a core nor a range of cores; write them as 0 or 0-1, with commas between", part))
			continue
		case last < first:
			errs = append(errs, fmt.Errorf("%q ends before it begins; write %d-%d", part, last, first))
			continue
		case last >= mostCores:
			errs = append(errs, fmt.Errorf("%q goes beyond core %d", part, mostCores-1))
			continue
		}
		for n := int(first); n <= int(last); n++ {
			if slices.Contains(out, n) {
				errs = append(errs, fmt.Errorf("core %d is named twice; name it once", n))
				continue
			}
			out = append(out, n)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	slices.Sort(out)
	return out, nil
}

// String writes the cores as ParseCores reads them.
func (c Cores) String() string {
	var parts []string
	for i := 0; i < len(c); {
		j := i
		for j+1 < len(c) && c[j+1] == c[j]+1 {
			j++
		}
		part := strconv.Itoa(c[i])
		if j > i {
			part += "-" + strconv.Itoa(c[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ",")
}

// Check names what this process can't give to another: a core that it may not use
// itself, or one that is named twice.
func (c Cores) Check() error {
	if len(c) == 0 {
		return nil
	}
	usable, err := UsableCores()
	if err != nil {
		return err
	}
	var errs []error
	seen := map[int]bool{}
	for _, n := range c {
		if seen[n] {
			errs = append(errs, fmt.Errorf("core %d is named twice; name it once", n))
		} else if !slices.Contains(usable, n) {
			errs = append(errs, fmt.Errorf("core %d is not this machine's, or not ours to use; choose of %s", n, usable))
		}
		seen[n] = true
	}
	return errors.Join(errs...)
}
