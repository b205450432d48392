package workflow

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"
)

// ErrUnknownStep says that a run has no such step, or the step no such attempt.
var ErrUnknownStep = errors.New("there is no such step")

// mostLogPart bounds a LogPart, in bytes: a step may print without end.
const mostLogPart = 1 << 20

// LogPart is some of what one attempt at a step printed.
type LogPart struct {
	Step string `json:"step"`
	// Attempt is counted from 1; 0 where none has begun. Attempts are so many by now.
	Attempt  int    `json:"attempt"`
	Attempts int    `json:"attempts"`
	File     string `json:"file,omitempty"`
	// Text is what there is from the byte asked for on, "" if that is the end so far;
	// Next is the byte to ask for after it.
	Text string `json:"text"`
	Next int64  `json:"next"`
	// Ended says that the attempt has ended, so that no more will come, Over that the
	// step has, so that no other attempt will.
	Ended bool `json:"ended"`
	Over  bool `json:"over"`
	// Message is how the step stands, for a person.
	Message string `json:"message,omitempty"`
}

// Log reads on in the log of a step's attempt, counted from 1; 0 is the last one. from
// is in bytes. The error wraps ErrUnknownStep where there is no such step or attempt.
func (r *Run) Log(step string, attempt int, from int64) (LogPart, error) {
	s, err := r.program(step)
	if err != nil {
		return LogPart{}, err
	}
	part := LogPart{Step: s.Called(), Attempt: attempt, Attempts: len(s.Attempts), Next: from, Over: s.Phase.Ended(), Message: s.Message}
	switch {
	case attempt < 0 || attempt > len(s.Attempts):
		return LogPart{}, fmt.Errorf("run %s/%s: step %s: attempt %d: %w; it has %d attempts", r.Namespace, r.Name, step, attempt, ErrUnknownStep, len(s.Attempts))
	case len(s.Attempts) == 0:
		return part, nil
	case attempt == 0:
		part.Attempt = len(s.Attempts)
	}
	a := &s.Attempts[part.Attempt-1]
	part.File, part.Ended = a.Log, a.Phase.Ended()
	raw, err := readFrom(a.Log, from)
	if err != nil {
		return LogPart{}, fmt.Errorf("run %s/%s: read the log of step %s: %w", r.Namespace, r.Name, step, err)
	}
	if !part.Ended || len(raw) == mostLogPart {
		raw = wholeRunes(raw)
	}
	part.Text, part.Next = string(raw), from+int64(len(raw))
	return part, nil
}

// program is a step that is a process.
func (r *Run) program(step string) (*Step, error) {
	var programs []string
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.DAG {
			continue
		}
		if s.Called() == step {
			return s, nil
		}
		programs = append(programs, s.Called())
	}
	return nil, fmt.Errorf("run %s/%s: step %s: %w; these print: %s", r.Namespace, r.Name, step, ErrUnknownStep, strings.Join(programs, ", "))
}

// readFrom reads a piece of a file; one that is not there yet, or not any more, is empty.
func readFrom(path string, from int64) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, mostLogPart))
}

// wholeRunes leaves out the beginning of a character at the end.
func wholeRunes(raw []byte) []byte {
	for back := 1; back < utf8.UTFMax && back <= len(raw); back++ {
		if last := raw[len(raw)-back:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				return raw[:len(raw)-back]
			}
			break
		}
	}
	return raw
}
