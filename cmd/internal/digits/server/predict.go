package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

// maxBody holds maxInstances images as JSON with spaces and decimals.
const maxBody = 4 << 20

// reply is the answer to a prediction.
type reply struct {
	Predictions  []digits.Prediction `json:"predictions"`
	ModelVersion string              `json:"model_version"`
}

// refusal is the response to a request that was not served.
type refusal struct {
	Error    string   `json:"error"`
	Mistakes []string `json:"mistakes,omitempty"`
}

// predict answers one request and returns the status.
func (s *service) predict(w http.ResponseWriter, r *http.Request) int {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refuse(w, http.StatusMethodNotAllowed, "use POST "+predictPath)
	}
	if !s.gate.enter() {
		w.Header().Set("Connection", "close")
		return refuse(w, http.StatusServiceUnavailable, "this server is shutting down")
	}
	defer s.gate.leave()
	s.metrics.inFlight.Inc()
	defer s.metrics.inFlight.Dec()
	// The body is read before the wait, since net/http notices a disconnected client only then.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes: send fewer instances", maxBody))
	} else if err != nil {
		return refuse(w, http.StatusBadRequest, "the body could not be read to its end")
	}
	images, mistakes := parse(r.Header.Get("Content-Type"), body)
	labels, wrong := parseLabels(r.Header, len(images))
	if mistakes = append(mistakes, wrong...); len(mistakes) > 0 {
		return refuse(w, http.StatusBadRequest, "the request is not one that this model understands", mistakes...)
	}
	predictions, err := s.work(r.Context(), images)
	switch {
	case errors.Is(err, errQueueFull):
		w.Header().Set("Retry-After", "1")
		return refuse(w, http.StatusServiceUnavailable, fmt.Sprintf("%d requests wait already: try again later", s.o.Queue))
	case s.working.Err() != nil:
		return refuse(w, http.StatusServiceUnavailable, "this server was shut down before the reply was ready")
	case err != nil:
		return clientGone
	}
	s.learn(images, predictions, labels)
	return send(w, http.StatusOK, reply{Predictions: predictions, ModelVersion: s.o.Version})
}

// learn records the predictions, with the client's labels.
func (s *service) learn(images []digits.Image, predictions []digits.Prediction, labels []int) {
	for i := range images {
		s.metrics.countLabel(predictions[i], labels[i])
		if s.o.Recorder != nil {
			s.o.Recorder.Record(&images[i], predictions[i], labels[i])
		}
	}
}

// work waits for a worker and holds it for all the images. A prediction
// that has started ends even if its client has gone: a model can't be interrupted.
func (s *service) work(ctx context.Context, images []digits.Image) ([]digits.Prediction, error) {
	if err := s.queue.acquire(ctx); err != nil {
		return nil, err
	}
	defer s.queue.release()
	predictions := make([]digits.Prediction, len(images))
	for i := range images {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := pause(s.working, s.o.Work); err != nil {
			return nil, err
		}
		predictions[i] = s.o.Model.Predict(&images[i])
		s.metrics.predicted(predictions[i])
	}
	return predictions, nil
}

func refuse(w http.ResponseWriter, status int, problem string, mistakes ...string) int {
	return send(w, status, refusal{Error: problem, Mistakes: mistakes})
}

func send(w http.ResponseWriter, status int, v any) int {
	body, err := json.Marshal(v)
	if err != nil { // only a NaN could do it, and probabilities are none
		status, body = http.StatusInternalServerError, []byte(`{"error":"the reply could not be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that has gone needs no answer
	return status
}
