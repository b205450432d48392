package workflow

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// The retry policies of Argo Workflows.
const (
	retryAlways    = "Always"
	retryOnFailure = "OnFailure" // retries Failed attempts; the default
	retryOnError   = "OnError"   // retries attempts that ended in Error
)

// maxRetryWait is the default cap of a back-off.
const maxRetryWait = 24 * time.Hour

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

// duration parses a number of seconds or a Go duration; "" is 0.
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

// wait returns the back-off after a number of attempts, at least one.
func (b *Backoff) wait(attempts int) time.Duration {
	if b == nil {
		return 0
	}
	// The errors were reported by Check.
	d, _ := duration(b.Duration)
	limit, _ := duration(b.Cap)
	factor, _ := b.factor()
	if limit == 0 {
		limit = maxRetryWait
	}
	for range attempts - 1 {
		if d > limit/time.Duration(factor) { // the product exceeds the limit and might overflow
			return limit
		}
		d *= time.Duration(factor)
	}
	return min(d, limit)
}

// deadline returns when all attempts together must have ended (maxDuration); zero if there
// is no such limit.
func (s *RetryStrategy) deadline(attempts []*attempt) time.Time {
	attempts = startedAttempts(attempts)
	if s == nil || s.Backoff == nil || len(attempts) == 0 {
		return time.Time{}
	}
	d, _ := duration(s.Backoff.MaxDuration)
	if d == 0 {
		return time.Time{}
	}
	return attempts[0].StartedAt.Add(d)
}

// startedAttempts returns the attempts that count: those that were started.
func startedAttempts(attempts []*attempt) []*attempt {
	return slices.DeleteFunc(slices.Clone(attempts), func(a *attempt) bool { return a.NeverStarted })
}

// next reports whether and when a step is retried after its last attempt, which did not
// succeed, and the reason if it isn't. The first attempt whose exit status is unknown is
// retried regardless of the strategy.
func (s *RetryStrategy) next(attempts []*attempt) (retry bool, at time.Time, why string) {
	last := attempts[len(attempts)-1]
	if last.NeverStarted {
		return true, last.FinishedAt, ""
	}
	attempts = startedAttempts(attempts)
	lost := 0
	for _, a := range attempts {
		if a.Lost {
			lost++
		}
	}
	if s == nil {
		return last.Lost && lost == 1, last.FinishedAt, ""
	}
	limit, _ := s.limit() // validated by Check
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
	if until := s.deadline(attempts); !until.IsZero() && at.After(until) {
		return false, time.Time{}, "the next attempt would come after maxDuration"
	}
	return true, at, ""
}
