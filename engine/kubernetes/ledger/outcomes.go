package ledger

import "slices"

// said is what is written some time soon, and nobody waits for: a crash that loses
// it leaves an intent open or a delivery waiting, and the next leader finds out
// afresh. Where it is kept, it is kept in order.
type said struct {
	conclusions []conclusion
	ends        []handled // of deliveries, and of events that were buried
}

// mostConclusions bounds one record of them: about 100 KiB at worst.
const mostConclusions = 1000

func (s *said) len() int { return len(s.conclusions) + len(s.ends) }

// next takes off as much as goes into one record of so many bytes, and at least one.
func (s *said) next(limit int) said {
	n := min(len(s.conclusions), mostConclusions, limit/128)
	size, e := 128*n, 0
	if n < len(s.conclusions) { // the end of a call comes with its conclusion, or later
		return said{conclusions: s.take(n)}
	}
	for e < len(s.ends) && (n+e == 0 || size+s.ends[e].size() <= limit) {
		size += s.ends[e].size()
		e++
	}
	out := said{s.take(n), slices.Clone(s.ends[:e])}
	s.ends = slices.Delete(s.ends, 0, e)
	return out
}

// take takes the first conclusions off.
func (s *said) take(n int) []conclusion {
	out := slices.Clone(s.conclusions[:n])
	s.conclusions = slices.Delete(s.conclusions, 0, n)
	return out
}

// putBack has it go first again.
func (s *said) putBack(o said) {
	s.conclusions, s.ends = append(o.conclusions, s.conclusions...), append(o.ends, s.ends...)
}

func (h *handled) size() int {
	return 64 + len(h.Agent) + len(h.URL) + len(h.Source) + len(h.ID) + len(h.Why)
}
