package load

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ParseSchedule parses phases that are separated by commas:
//
//	1m@20                    20 queries/s for a minute
//	30s@20..80               rising from 20 to 80
//	2m@sine:20..60/30s       between 20 and 60, each 30 s
//	2m@square:20..60/30s     20 for half of each 30 s, 60 for the other half
//	10m@day:2..40            a day: lowest at 04:00, highest at 16:00; /5m for two days
//
// A prefix NAME= names a phase. The error lists every invalid phase.
func ParseSchedule(text string) ([]Phase, error) {
	var phases []Phase
	var errs []error
	for i, part := range strings.Split(text, ",") {
		p, err := parsePhase(strings.TrimSpace(part))
		if err == nil {
			err = p.check()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("phase %d, %q: %w", i+1, strings.TrimSpace(part), err))
		}
		if p.Name == "" {
			p.Name = fmt.Sprintf("%d", i+1)
		}
		phases = append(phases, p)
	}
	return phases, errors.Join(errs...)
}

func parsePhase(text string) (p Phase, err error) {
	if name, rest, named := strings.Cut(text, "="); named {
		p.Name, text = strings.TrimSpace(name), rest
	}
	lasts, rates, ok := strings.Cut(text, "@")
	if !ok {
		return p, errors.New("it has no @; write DURATION@RATE, such as 1m@20")
	}
	if p.Duration, err = time.ParseDuration(strings.TrimSpace(lasts)); err != nil {
		return p, fmt.Errorf("%q is no duration, such as 90s or 2m", lasts)
	}
	shape, rest, shaped := strings.Cut(rates, ":")
	if shaped {
		p.Shape, rates = Shape(strings.TrimSpace(shape)), rest
		if p.Shape != Sine && p.Shape != Square && p.Shape != Day {
			return p, fmt.Errorf("%q is none of sine, square, day", shape)
		}
	}
	if rates, rest, ok = strings.Cut(rates, "/"); ok {
		if !shaped {
			return p, errors.New("a period (/) goes with sine, square or day")
		}
		if p.Period, err = time.ParseDuration(strings.TrimSpace(rest)); err != nil {
			return p, fmt.Errorf("%q is no duration, such as 90s or 2m", rest)
		}
	} else if p.Shape == Day {
		p.Period = p.Duration
	}
	from, to, two := strings.Cut(rates, "..")
	if two && !shaped {
		p.Shape = Ramp
	}
	if shaped && !two {
		return p, fmt.Errorf("%s takes two rates, such as 20..60", p.Shape)
	}
	if p.Rate, err = plainNumber(strings.TrimSpace(from)); err != nil {
		return p, fmt.Errorf("rate: %w", err)
	}
	if two {
		if p.To, err = plainNumber(strings.TrimSpace(to)); err != nil {
			return p, fmt.Errorf("rate: %w", err)
		}
	}
	return p, nil
}
