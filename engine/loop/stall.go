package loop

import (
	"strings"
	"time"
	"unicode"

	"github.com/scanflow-k8s/scanflow/engine"
)

// stallPause is the least time between two reports on one act: the message of a scheduler
// or a quota changes with each pod of the cluster, and a crash loop comes and goes.
const stallPause = 10 * time.Second

// stall reports the obstacle of one running act to the observers: at once when it appears,
// and again when it changes in more than its numbers or is gone. The end of the act is not
// reported here, as Acted follows.
type stall struct {
	r        *runner
	in       *engine.Intent
	reported string // the last obstacle reported, without its digits
	at       time.Time
}

func (s *stall) observe(out engine.Outcome) {
	observer, can := s.r.m.Observer.(engine.StallObserver)
	if !can || out.Status != engine.Running {
		return
	}
	kind, now := withoutDigits(out.Obstacle), s.r.m.Clock.Now()
	if kind == s.reported || !s.at.IsZero() && now.Before(s.at.Add(stallPause)) {
		return
	}
	s.reported, s.at = kind, now
	out.Obstacle = engine.Clip(out.Obstacle)
	observer.Stalled(engine.Act{Intent: *s.in, Outcome: out})
}

// withoutDigits returns a text that stays the same while only numbers in it change.
func withoutDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, text)
}

// pastDeadline is the outcome of an act that did not end in time.
func pastDeadline(out engine.Outcome) engine.Outcome {
	detail := "not done by its deadline: " + out.Detail
	if out.Obstacle != "" && !strings.HasSuffix(out.Detail, out.Obstacle) {
		detail += "; " + out.Obstacle
	}
	return engine.Outcome{Status: engine.Failed, Detail: detail, Applied: true, MissingRight: out.MissingRight}
}
