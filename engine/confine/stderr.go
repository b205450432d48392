package confine

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// stderrFilter forwards the standard error of a child, except what Go's runtime writes
// when the process dies. It keeps the beginning of that for the error.
type stderrFilter struct {
	next io.Writer // may be nil

	mu   sync.Mutex
	line []byte
	kept []byte
}

// maxKept bounds what is kept, in bytes.
const maxKept = 8 << 10

// Write implements io.Writer.
func (l *stderrFilter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rest := p; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			l.line = append(l.line, rest...)
			if len(l.line) > maxKept {
				l.endLine()
			}
			break
		}
		l.line = append(l.line, rest[:end+1]...)
		l.endLine()
		rest = rest[end+1:]
	}
	return len(p), nil
}

// endLine keeps or forwards the current line.
func (l *stderrFilter) endLine() {
	line := l.line
	l.line = nil
	if len(l.kept) == 0 && !isCrash(string(line)) {
		l.forward(line)
		return
	}
	if len(l.kept) < maxKept {
		l.kept = append(l.kept, line...)
	}
}

// isCrash reports whether a line begins the output of Go's runtime when the process dies.
func isCrash(line string) bool {
	for _, begin := range []string{"panic: ", "fatal error: ", "runtime: ", "SIG", "unexpected fault address", "goroutine stack exceeds"} {
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
	return false
}

func (l *stderrFilter) forward(line []byte) {
	if l.next != nil {
		_, _ = l.next.Write(line) // an error must not stop the child
	}
}

// flush forwards what was kept, because the child has ended regularly.
func (l *stderrFilter) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forward(append(l.kept, l.line...))
	l.kept, l.line = nil, nil
}

// message returns the line with the cause of the crash, or "".
func (l *stderrFilter) message() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, begin := range []string{"panic: ", "fatal error: "} {
		for line := range strings.Lines(string(l.kept)) {
			if strings.HasPrefix(line, begin) {
				line = strings.TrimSpace(line)
				return line[:min(len(line), 300)]
			}
		}
	}
	return ""
}

// outOfMemory reports whether the child died because it ran out of memory.
func (l *stderrFilter) outOfMemory() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := string(l.kept)
	for _, sign := range []string{"out of memory", "cannot allocate memory", "failed to allocate", "failed to create new OS thread"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}
