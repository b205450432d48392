package workflow

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// Which ends of an attempt are tried again, as Argo Workflows names them.
const (
	retryAlways    = "Always"
	retryOnFailure = "OnFailure" // the program's own: an exit status, or a deadline. The default
	retryOnError   = "OnError"   // everything around it: it could not be started, an output is missing
)

// mostWait bounds a wait that grows.
const mostWait = 24 * time.Hour

func (s *RetryStrategy) limit() (int, error) {
	if s.Limit == nil {
		return 0, errors.New("is missing, so that a step that always fails would be tried for ever; set it")
	}
	n, err := number(s.Limit)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s is not a number of attempts", s.Limit.String())
	}
	return n, nil
}

func (s *RetryStrategy) policy() (onFailure, onError bool, err error) {
	switch s.RetryPolicy {
	case "", retryOnFailure:
		return true, false, nil
	case retryAlways:
		return true, true, nil
	case retryOnError:
		return false, true, nil
	}
	return false, false, fmt.Errorf("%q can't be honoured here; use %s, %s or %s", s.RetryPolicy, retryAlways, retryOnFailure, retryOnError)
}

func (b *Backoff) factor() (int, error) {
	if b.Factor == nil {
		return 1, nil
	}
	n, err := number(b.Factor)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s is not a whole number, 1 or more", b.Factor.String())
	}
	return n, nil
}

func number(v *intstr.IntOrString) (int, error) {
	if v.Type == intstr.Int {
		return int(v.IntVal), nil
	}
	return strconv.Atoi(v.StrVal)
}

// duration reads seconds, or a Go duration; "" is 0.
func duration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n < 1<<31 {
		return time.Duration(n) * time.Second, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return d, nil
	}
	return 0, fmt.Errorf("%q is neither a number of seconds nor a duration like 2m", text)
}

// wait is how long to wait after so many attempts, one at least.
func (b *Backoff) wait(attempts int) time.Duration {
	if b == nil {
		return 0
	}
	// Check has refused what can't be read.
	d, _ := duration(b.Duration)
	most, _ := duration(b.Cap)
	factor, _ := b.factor()
	if most == 0 {
		most = mostWait
	}
	for range attempts - 1 {
		if d > most/time.Duration(factor) { // the next is above, and might overflow
			return most
		}
		d *= time.Duration(factor)
	}
	return min(d, most)
}

// until is when the attempts together must have ended; the zero time if there is no
// such bound.
func (s *RetryStrategy) until(attempts []*attempt) time.Time {
	attempts = begun(attempts)
	if s == nil || s.Backoff == nil || len(attempts) == 0 {
		return time.Time{}
	}
	d, _ := duration(s.Backoff.MaxDuration)
	if d == 0 {
		return time.Time{}
	}
	return attempts[0].StartedAt.Add(d)
}

// begun leaves out the attempts that never began: they count for nothing.
func begun(attempts []*attempt) []*attempt {
	return slices.DeleteFunc(slices.Clone(attempts), func(a *attempt) bool { return a.Never })
}

// next tells whether a step is tried again after its last attempt, which did not
// succeed, and when. An attempt whose end can't be learnt was neither the program's
// fault nor ours: once, it is made again whatever the strategy says.
func (s *RetryStrategy) next(attempts []*attempt) (again bool, at time.Time, why string) {
	last := attempts[len(attempts)-1]
	if last.Never {
		return true, last.FinishedAt, ""
	}
	attempts = begun(attempts)
	lost := 0
	for _, a := range attempts {
		if a.Lost {
			lost++
		}
	}
	if s == nil {
		return last.Lost && lost == 1, last.FinishedAt, ""
	}
	limit, _ := s.limit() // Check has refused what can't be read
	onFailure, onError, _ := s.policy()
	wanted := onFailure && last.Phase == Failed || onError && last.Phase == Error
	switch {
	case last.Lost && lost == 1:
		return true, last.FinishedAt, ""
	case !wanted:
		return false, time.Time{}, ""
	case len(attempts)-min(lost, 1) > limit:
		return false, time.Time{}, "no more retries left"
	}
	at = last.FinishedAt.Add(s.Backoff.wait(len(attempts)))
	if until := s.until(attempts); !until.IsZero() && at.After(until) {
		return false, time.Time{}, "the next attempt would come after maxDuration"
	}
	return true, at, ""
}
