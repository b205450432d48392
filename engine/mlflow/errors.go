package mlflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"github.com/scanflow-k8s/scanflow/engine/redact"
)

// Errors of the client.
var (
	// ErrNotFound is an experiment, run, model, version or alias that the server
	// doesn't have.
	ErrNotFound = errors.New("the tracker has no such thing")
	// ErrExists is a name that is taken.
	ErrExists = errors.New("the tracker has that already")
	// ErrNoAliases is a server whose registry has stages only (MLflow before 2.3).
	ErrNoAliases = errors.New("the tracker knows no aliases, only stages")
	// ErrTooLarge is an answer beyond the size that the client reads.
	ErrTooLarge = errors.New("the answer is too large")
)

// The error codes of MLflow that the client tells apart.
const (
	codeNotFound   = "RESOURCE_DOES_NOT_EXIST"
	codeExists     = "RESOURCE_ALREADY_EXISTS"
	codeNoEndpoint = "ENDPOINT_NOT_FOUND"
	codeBadValue   = "INVALID_PARAMETER_VALUE"
)

// Error is a refusal by the server.
type Error struct {
	HTTPStatus int
	// Code is MLflow's, as in RESOURCE_DOES_NOT_EXIST; "" where something else than
	// MLflow answered.
	Code    string
	Message string

	place string
}

// Error says where, and what the server said.
func (e *Error) Error() string {
	code := e.Code
	if code == "" {
		code = http.StatusText(e.HTTPStatus)
	}
	text := fmt.Sprintf("%s: answered %d %s", e.place, e.HTTPStatus, code)
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// Is tells which of the package's errors it is.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return e.Code == codeNotFound
	case ErrExists:
		return e.Code == codeExists
	}
	return false
}

// noEndpoint tells whether the server doesn't know the call at all.
func (e *Error) noEndpoint() bool {
	return e.Code == codeNoEndpoint || e.Code == "" && (e.HTTPStatus == http.StatusNotFound || e.HTTPStatus == http.StatusMethodNotAllowed)
}

// transportError is a request that brought no full answer.
type transportError struct {
	place string
	err   error
}

func (e *transportError) Error() string { return e.place + ": " + e.err.Error() }
func (e *transportError) Unwrap() error { return e.err }

// Passing tells whether an error may pass, so that asking again is worth while: no
// answer, or one of 408, 425, 429 or 5xx. A request that the caller called off is not
// among them.
func Retryable(err error) bool {
	var refused *Error
	if errors.As(err, &refused) {
		switch refused.HTTPStatus {
		case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
			return true
		}
		return refused.HTTPStatus >= 500
	}
	var lost *transportError
	return errors.As(err, &lost) && !errors.Is(err, context.Canceled)
}

// codeForm is what MLflow's error codes look like. Any other text is not one, and is not
// shown: nobody has bounded it, or taken the credentials out of it.
var codeForm = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// longestMessage bounds what a server's own words may take of an error, in bytes.
const longestMessage = 500

// refusal is the error that an answer means.
func refusal(r *http.Request, resp *http.Response, raw []byte, sent credentials) error {
	e := &Error{HTTPStatus: resp.StatusCode, place: place(r)}
	var said struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	switch {
	case json.Unmarshal(raw, &said) == nil && codeForm.MatchString(said.Code):
		e.Code, e.Message = said.Code, sent.hide(said.Message)
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		e.Message = "it sends to another address, which is not followed; name that one"
	case resp.StatusCode == http.StatusNotFound:
		e.Message = "there is no such call of MLflow's API; check the address"
	}
	return e
}

// explain drops the request's URL from an error, and says a deadline in words.
func explain(ctx context.Context, err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	switch {
	case errors.Is(context.Cause(ctx), errStalled):
		return errStalled
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no full answer in time: %w", context.DeadlineExceeded)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the answer was cut short: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// credentials are the values of the secret headers that were sent.
type credentials []string

// hide blanks them in a server's words, flattens these to one line and cuts them.
func (c credentials) hide(text string) string {
	text = redact.Text(text, c...)
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' ' // a terminal would take it for a command
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > longestMessage {
		text = strings.ToValidUTF8(text[:longestMessage], "") + "..."
	}
	return text
}

// Shown is an address as it may be shown: without the user, and without parameters,
// which in a signed one open what it names. What can't be read is "".
func Shown(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return ""
	case u.User == nil && u.RawQuery == "":
		return address
	}
	u.User, u.RawQuery = nil, ""
	return u.String()
}
