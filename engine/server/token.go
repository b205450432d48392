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

// tokenGracePeriod bounds the time for which the last valid token is accepted after its file
// became missing, empty or unreadable. Swapping a mount takes a moment; a token that stays away
// was removed on purpose.
const tokenGracePeriod = 10 * time.Minute

// Token is a bearer token in a file. The file is read again when it changes. If it becomes
// missing, empty or unreadable, the last valid token is accepted for ten minutes, and then no
// token until the file is valid again.
type Token struct {
	file  string
	clock engine.Clock
	log   hclog.Logger
	read  *reloadedFiles[string]

	mu           sync.Mutex
	invalidSince time.Time // zero while the file is valid
	expired      bool      // the last valid token is no longer accepted
}

// ReadToken reads the file, which must contain a token.
func ReadToken(file string, clock engine.Clock, log hclog.Logger) (*Token, error) {
	t := &Token{file: file, clock: clock, log: log}
	var err error
	t.read, err = newReloadedFiles([]string{file}, log, t.load)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// TokenFromFile returns the token in a file. Its errors do not contain the token.
func TokenFromFile(file string) (string, error) {
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

// load reads the file and records since when it is invalid.
func (t *Token) load() (string, error) {
	token, err := TokenFromFile(t.file)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		t.invalidSince, t.expired = time.Time{}, false
	case t.invalidSince.IsZero():
		t.invalidSince = t.clock.Now()
		err = fmt.Errorf("%w; the last good token is good for another %s", err, tokenGracePeriod)
	}
	return token, err
}

// errNoToken means that the file was invalid for longer than tokenGracePeriod.
var errNoToken = errors.New("the file has had no token for too long; nobody has the token until it has one")

// current returns the current token; "" if none is accepted.
func (t *Token) current() string {
	if t == nil {
		return ""
	}
	token := t.read.get()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.invalidSince.IsZero() || t.clock.Now().Before(t.invalidSince.Add(tokenGracePeriod)) {
		return token
	}
	if !t.expired {
		t.expired = true
		t.log.Error("a token is not taken any more", "file", t.file, "error", errNoToken)
	}
	return ""
}

// matches reports whether a request has the token.
func (t *Token) matches(shown string) bool {
	token := t.current()
	return token != "" && equalSecrets(shown, token)
}
