package confine

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// lastWords hands on what a child writes to its standard error, but for what Go's
// runtime writes as it dies, which is kept, as far as it is short.
type lastWords struct {
	next io.Writer // nil hands on nothing

	mu   sync.Mutex
	line []byte
	kept []byte
}

// most is how much is kept, in bytes.
const most = 8 << 10

// Write is part of io.Writer.
func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rest := p; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			l.line = append(l.line, rest...)
			if len(l.line) > most {
				l.take()
			}
			break
		}
		l.line = append(l.line, rest[:end+1]...)
		l.take()
		rest = rest[end+1:]
	}
	return len(p), nil
}

// take keeps a line or hands it on.
func (l *lastWords) take() {
	line := l.line
	l.line = nil
	if len(l.kept) == 0 && !isLast(string(line)) {
		l.pass(line)
		return
	}
	if len(l.kept) < most {
		l.kept = append(l.kept, line...)
	}
}

// isLast reports whether a line is the first of those that Go's runtime writes as the
// process dies.
func isLast(line string) bool {
	for _, begin := range []string{"panic: ", "fatal error: ", "runtime: ", "SIG", "unexpected fault address", "goroutine stack exceeds"} {
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
	return false
}

func (l *lastWords) pass(line []byte) {
	if l.next != nil {
		_, _ = l.next.Write(line) // a reader that went away is no reason to stop
	}
}

// flush hands on everything: the child came to its end, so these were no last words.
func (l *lastWords) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pass(append(l.kept, l.line...))
	l.kept, l.line = nil, nil
}

// first is the line that says why the child died, "" where it said nothing.
func (l *lastWords) first() string {
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

// outOfMemory reports whether the child died for want of memory.
func (l *lastWords) outOfMemory() bool {
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
