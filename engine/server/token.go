package server

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
)

// tokenStays is how long the last good token stays good while its file is gone, empty or
// can't be read: a mount that is swapped takes a moment, and one that was taken away is
// meant so.
const tokenStays = 10 * time.Minute

// Token is a bearer token in a file. The file is read again when it changes. One that is
// gone, is empty or can't be read leaves the last good token for ten minutes; after that
// nobody has the token until the file is right again.
type Token struct {
	file  string
	clock engine.Clock
	log   hclog.Logger
	read  *reread[string]

	mu      sync.Mutex
	badFrom time.Time // zero while the file is right
	ended   bool      // the last good token is good no more
}

// ReadToken reads the file, which must have a token.
func ReadToken(file string, clock engine.Clock, log hclog.Logger) (*Token, error) {
	t := &Token{file: file, clock: clock, log: log}
	var err error
	t.read, err = newReread([]string{file}, log, t.load)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// TokenIn is the token in a file. No error repeats it.
func TokenIn(file string) (string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(raw))
	switch {
	case token == "":
		return "", fmt.Errorf("%s is empty", file)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("%s is no token: it has a space, a line break, or a character that no header can carry", file)
	}
	return token, nil
}

// load notes since when the file is not right.
func (t *Token) load() (string, error) {
	token, err := TokenIn(t.file)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		t.badFrom, t.ended = time.Time{}, false
	case t.badFrom.IsZero():
		t.badFrom = t.clock.Now()
		err = fmt.Errorf("%w; the last good token is good for another %s", err, tokenStays)
	}
	return token, err
}

// errNoToken is that of a file that was wrong for too long.
var errNoToken = errors.New("the file has had no token for too long; nobody has the token until it has one")

// current is the token of now, "" where nobody has it.
func (t *Token) current() string {
	if t == nil {
		return ""
	}
	token := t.read.get()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.badFrom.IsZero() || t.clock.Now().Before(t.badFrom.Add(tokenStays)) {
		return token
	}
	if !t.ended {
		t.ended = true
		t.log.Error("a token is not taken any more", "file", t.file, "error", errNoToken)
	}
	return ""
}

// is reports whether a request shows the token.
func (t *Token) is(shown string) bool {
	token := t.current()
	return token != "" && sameSecret(shown, token)
}
