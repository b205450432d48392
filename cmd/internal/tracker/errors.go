package tracker

import (
	"errors"
	"fmt"
	"net/http"
)

// code is one of MLflow's error codes.
type code string

const (
	badParameter  code = "INVALID_PARAMETER_VALUE"
	notThere      code = "RESOURCE_DOES_NOT_EXIST"
	alreadyThere  code = "RESOURCE_ALREADY_EXISTS"
	badState      code = "INVALID_STATE"
	noEndpoint    code = "ENDPOINT_NOT_FOUND"
	unauthorized  code = "UNAUTHENTICATED"
	forbidden     code = "PERMISSION_DENIED"
	notNow        code = "TEMPORARILY_UNAVAILABLE"
	internalError code = "INTERNAL_ERROR"
)

// statuses are the HTTP statuses of MLflow's error codes.
var statuses = map[code]int{
	badParameter: http.StatusBadRequest,
	notThere:     http.StatusNotFound,
	alreadyThere: http.StatusBadRequest,
	badState:     http.StatusInternalServerError,
	noEndpoint:   http.StatusNotFound,
	unauthorized: http.StatusUnauthorized,
	forbidden:    http.StatusForbidden,
	notNow:       http.StatusServiceUnavailable,

	internalError: http.StatusInternalServerError,
}

// apiError is the error in an answer.
type apiError struct {
	Code    code   `json:"error_code"`
	Message string `json:"message"`
}

func (e *apiError) Error() string { return string(e.Code) + ": " + e.Message }

func invalid(format string, args ...any) error {
	return &apiError{badParameter, fmt.Sprintf(format, args...)}
}

func missing(format string, args ...any) error {
	return &apiError{notThere, fmt.Sprintf(format, args...)}
}

func exists(format string, args ...any) error {
	return &apiError{alreadyThere, fmt.Sprintf(format, args...)}
}

// publicError returns the error that a client gets: its own mistakes in full, and a failure of
// this server without the details, which are logged.
func publicError(err error) *apiError {
	var known *apiError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, errBusy):
		return &apiError{notNow, "the tracker is busy or stopping: try again"}
	default:
		return &apiError{internalError, "the tracker could not do it; its log says why"}
	}
}

// errBusy means that a request's context ended before the request was done.
var errBusy = errors.New("the request ended before it was done")

// Errors of Open, for errors.Is.
var (
	// ErrLocked: another process has the folder open.
	ErrLocked = errors.New("in use by another process")
	// ErrForeign: the file is not a tracker's, is damaged, or was written by a newer Scanflow.
	ErrForeign = errors.New("not a tracker's file")
)
