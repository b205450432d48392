package pod

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Cores is a set of processor cores of this machine, by number in ascending order. An
// empty set doesn't restrict a process.
type Cores []int

// maxCores is the size of unix.CPUSet.
const maxCores = 1024

// ParseCores parses the kernel's list format: numbers and ranges separated by commas,
// such as "0", "0-1" or "0-1,3". The error lists every invalid part and every duplicate.
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
		case last >= maxCores:
			errs = append(errs, fmt.Errorf("%q goes beyond core %d", part, maxCores-1))
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

// String formats the cores for ParseCores.
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

// Check returns an error for every core that this process may not use itself, and for
// every duplicate.
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
