package ledger

import "slices"

// outcomes are records that no caller waits for, in order. If a crash loses them, an intent
// stays open or a delivery waits, and the next leader finds out again.
type outcomes struct {
	conclusions []conclusion
	ends        []handled // of deliveries and dead letters
}

// maxConclusions bounds the conclusions in one record, to about 100 KiB.
const maxConclusions = 1000

func (s *outcomes) len() int { return len(s.conclusions) + len(s.ends) }

// next takes off what fits into one record of limit bytes, and at least one outcome.
func (s *outcomes) next(limit int) outcomes {
	n := min(len(s.conclusions), maxConclusions, limit/128)
	size, e := 128*n, 0
	if n < len(s.conclusions) { // the end of a call must not be written before its conclusion
		return outcomes{conclusions: s.takeConclusions(n)}
	}
	for e < len(s.ends) && (n+e == 0 || size+s.ends[e].size() <= limit) {
		size += s.ends[e].size()
		e++
	}
	out := outcomes{s.takeConclusions(n), slices.Clone(s.ends[:e])}
	s.ends = slices.Delete(s.ends, 0, e)
	return out
}

// takeConclusions takes the first conclusions off.
func (s *outcomes) takeConclusions(n int) []conclusion {
	out := slices.Clone(s.conclusions[:n])
	s.conclusions = slices.Delete(s.conclusions, 0, n)
	return out
}

// requeue puts outcomes back at the front.
func (s *outcomes) requeue(o outcomes) {
	s.conclusions, s.ends = append(o.conclusions, s.conclusions...), append(o.ends, s.ends...)
}

func (h *handled) size() int {
	return 64 + len(h.Agent) + len(h.URL) + len(h.Source) + len(h.ID) + len(h.Why)
}
