package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier"
)

// maxBody bounds a request body, in bytes: about a photograph of a phone.
const maxBody = 4 << 20

// reply is the response of a prediction.
type reply struct {
	Model       classifier.Model `json:"model"`
	Class       int              `json:"class"`
	Probability float32          `json:"probability"`
}

// refusal is the response to a request that was not served.
type refusal struct {
	Error string `json:"error"`
}

// predict handles one request and returns the status.
func (s *service) predict(w http.ResponseWriter, r *http.Request) int {
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		return refuse(w, http.StatusMethodNotAllowed, "use POST "+predictPath)
	case s.closing.Load():
		w.Header().Set("Connection", "close")
		return refuse(w, http.StatusServiceUnavailable, "this server is shutting down")
	case !s.loaded.Load():
		return s.later(w, "the model is not loaded yet")
	case s.queue.full(): // refuse before reading the body
		return s.full(w)
	}
	// Read the whole body before the wait: only then does net/http detect a closed connection.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxBody))
	} else if err != nil {
		return refuse(w, http.StatusBadRequest, "the body could not be read to its end")
	}
	picture, err := classifier.ReadPicture(r.Header.Get("Content-Type"), body)
	if err != nil {
		return refuseImage(w, err)
	}
	p, err := s.work(r.Context(), picture)
	var bad *badImage
	switch {
	case err == nil:
		return send(w, http.StatusOK, reply{s.o.Model, p.Class, p.Probability})
	case errors.Is(err, errQueueFull):
		return s.full(w)
	case errors.As(err, &bad):
		return refuseImage(w, bad.why)
	case s.working.Err() != nil:
		return refuse(w, http.StatusServiceUnavailable, "this server was shut down before the reply was ready")
	}
	return clientGone
}

// badImage is the error for an image that can't be decoded.
type badImage struct{ why error }

func (b *badImage) Error() string { return b.why.Error() }

// work waits for a thread and classifies the image. It stops when ctx ends, for example
// because the client has closed the connection.
func (s *service) work(ctx context.Context, picture classifier.Picture) (classifier.Prediction, error) {
	scratch, err := s.queue.acquire(ctx)
	if err != nil {
		return classifier.Prediction{}, err
	}
	defer s.queue.release(scratch)
	pause := func() error { return s.quota.Pause(ctx) }
	began := time.Now()
	if err := pause(); err != nil {
		return classifier.Prediction{}, err
	}
	s.busy.begin()
	defer s.busy.end()
	img, err := picture.Image()
	if err != nil {
		return classifier.Prediction{}, &badImage{err}
	}
	p, err := s.network.Predict(scratch, img, pause)
	if err == nil {
		s.queue.took(time.Since(began))
	}
	return p, err
}

func (s *service) full(w http.ResponseWriter) int {
	return s.later(w, fmt.Sprintf("%d requests wait already", s.o.Queue))
}

// later refuses a request with a Retry-After header.
func (s *service) later(w http.ResponseWriter, problem string) int {
	w.Header().Set("Retry-After", strconv.Itoa(s.queue.retryAfter()))
	return refuse(w, http.StatusServiceUnavailable, problem+": try again later")
}

func refuseImage(w http.ResponseWriter, err error) int {
	if errors.Is(err, classifier.ErrType) {
		return refuse(w, http.StatusUnsupportedMediaType, err.Error())
	}
	return refuse(w, http.StatusBadRequest, err.Error())
}

func refuse(w http.ResponseWriter, status int, problem string) int {
	return send(w, status, refusal{problem})
}

func send(w http.ResponseWriter, status int, v any) int {
	body, err := json.Marshal(v)
	if err != nil { // impossible without NaN
		status, body = http.StatusInternalServerError, []byte(`{"error":"the reply could not be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // an error means that the client is gone
	return status
}
