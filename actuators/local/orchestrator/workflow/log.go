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

// ErrUnknownStep is returned for a step that the run doesn't have, or an attempt that the
// step doesn't have.
var ErrUnknownStep = errors.New("there is no such step")

// maxLogPart bounds the text of a LogPart in bytes.
const maxLogPart = 1 << 20

// LogPart is a part of the log of an attempt.
type LogPart struct {
	Step string `json:"step"`
	// Attempt counts from 1; 0 if none has started. Attempts is their number so far.
	Attempt  int    `json:"attempt"`
	Attempts int    `json:"attempts"`
	File     string `json:"file,omitempty"`
	// Text starts at the requested offset and is "" at the end of the log so far. Next is
	// the offset to continue at.
	Text string `json:"text"`
	Next int64  `json:"next"`
	// Ended means that the attempt has ended, so that its log is complete; Over that the
	// step has ended, so that there will be no other attempt.
	Ended bool `json:"ended"`
	Over  bool `json:"over"`
	// Message describes the state of the step for a person.
	Message string `json:"message,omitempty"`
}

// Log reads the log of a step's attempt from a byte offset. Attempts count from 1, and 0 is
// the last one. The error wraps ErrUnknownStep if there is no such step or attempt.
func (r *Run) Log(step string, attempt int, from int64) (LogPart, error) {
	s, err := r.program(step)
	if err != nil {
		return LogPart{}, err
	}
	part := LogPart{Step: s.DisplayName(), Attempt: attempt, Attempts: len(s.Attempts), Next: from, Over: s.Phase.Ended(), Message: s.Message}
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
	if !part.Ended || len(raw) == maxLogPart {
		raw = trimPartialRune(raw)
	}
	part.Text, part.Next = string(raw), from+int64(len(raw))
	return part, nil
}

// program finds a step that is a process and not a dag.
func (r *Run) program(step string) (*Step, error) {
	var programs []string
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.DAG {
			continue
		}
		if s.DisplayName() == step {
			return s, nil
		}
		programs = append(programs, s.DisplayName())
	}
	return nil, fmt.Errorf("run %s/%s: step %s: %w; these print: %s", r.Namespace, r.Name, step, ErrUnknownStep, strings.Join(programs, ", "))
}

// readFrom reads a part of a file. A missing file is empty.
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
	return io.ReadAll(io.LimitReader(f, maxLogPart))
}

// trimPartialRune removes an incomplete UTF-8 sequence at the end.
func trimPartialRune(raw []byte) []byte {
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
