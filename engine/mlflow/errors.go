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
	// ErrNotFound: the server doesn't have the experiment, run, model, version or alias.
	ErrNotFound = errors.New("the tracker has no such thing")
	// ErrExists: the name is taken.
	ErrExists = errors.New("the tracker has that already")
	// ErrNoAliases: the server's registry has stages only (MLflow before 2.3).
	ErrNoAliases = errors.New("the tracker knows no aliases, only stages")
	// ErrTooLarge: the answer is larger than the client reads.
	ErrTooLarge = errors.New("the answer is too large")
)

// The error codes of MLflow that the client handles.
const (
	codeNotFound   = "RESOURCE_DOES_NOT_EXIST"
	codeExists     = "RESOURCE_ALREADY_EXISTS"
	codeNoEndpoint = "ENDPOINT_NOT_FOUND"
	codeBadValue   = "INVALID_PARAMETER_VALUE"
)

// Error is a answerError by the server.
type Error struct {
	HTTPStatus int
	// Code is MLflow's, as in RESOURCE_DOES_NOT_EXIST; "" if the answer has none: a proxy
	// may have sent it.
	Code    string
	Message string

	place string
}

// Error names the request, the status and the server's message.
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

// Is matches ErrNotFound and ErrExists by the code.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return e.Code == codeNotFound
	case ErrExists:
		return e.Code == codeExists
	}
	return false
}

// noEndpoint reports whether the server doesn't have the call at all.
func (e *Error) noEndpoint() bool {
	return e.Code == codeNoEndpoint || e.Code == "" && (e.HTTPStatus == http.StatusNotFound || e.HTTPStatus == http.StatusMethodNotAllowed)
}

// transportError is the error of a request without a complete answer.
type transportError struct {
	place string
	err   error
}

func (e *transportError) Error() string { return e.place + ": " + e.err.Error() }
func (e *transportError) Unwrap() error { return e.err }

// Retryable reports whether the same request may succeed later: there was no answer, or one of
// 408, 425, 429 or 5xx. A request that the caller cancelled is not retryable.
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

// codeForm matches MLflow's error codes. Any other text in its place is not shown: it has no
// bound, and may hold credentials.
var codeForm = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// longestMessage bounds the server's message in an error, in bytes.
const longestMessage = 500

// answerError returns the error of an answer whose status is not OK.
func answerError(r *http.Request, resp *http.Response, raw []byte, sent credentials) error {
	e := &Error{HTTPStatus: resp.StatusCode, place: place(r)}
	var body struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	switch {
	case json.Unmarshal(raw, &body) == nil && codeForm.MatchString(body.Code):
		e.Code, e.Message = body.Code, sent.clean(body.Message)
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		e.Message = "it sends to another address, which is not followed; name that one"
	case resp.StatusCode == http.StatusNotFound:
		e.Message = "there is no such call of MLflow's API; check the address"
	}
	return e
}

// explain removes the request's URL from an error, and puts common causes into words.
func explain(ctx context.Context, err error) error {
	err = redact.WithoutURL(err)
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

// credentials are the values of the secret headers of a request.
type credentials []string

// clean returns a server's message on one line, without the credentials, and cut to
// longestMessage.
func (c credentials) clean(text string) string {
	text = redact.Text(text, c...)
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' ' // a terminal may execute it
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > longestMessage {
		text = strings.ToValidUTF8(text[:longestMessage], "") + "..."
	}
	return text
}

// PublicURL returns an address without its user and its query, which in a signed address grant
// access. It returns "" for an address that can't be parsed.
func PublicURL(address string) string {
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
