package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

// recorder stores the predictions that it receives.
type recorder struct {
	mu     sync.Mutex
	images []digits.Image
	said   []digits.Prediction
	labels []int
}

func (r *recorder) Record(img *digits.Image, p digits.Prediction, label int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.images, r.said, r.labels = append(r.images, *img), append(r.said, p), append(r.labels, label)
}

// postLabelled sends the first n test images in one request, with a header X-Label.
func (s *running) postLabelled(n int, label string) (int, reply, refusal) {
	var body bytes.Buffer
	for _, img := range samples().Test.Images[:n] {
		body.Write(img[:])
	}
	req, err := http.NewRequest(http.MethodPost, s.url+"/predict", &body)
	require.NoError(s.t, err)
	req.Header.Set("Content-Type", "application/octet-stream")
	if label != "" {
		req.Header.Set("X-Label", label)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(s.t, err)
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		reply
		refusal
	}
	require.NoError(s.t, json.NewDecoder(res.Body).Decode(&answer))
	return res.StatusCode, answer.reply, answer.refusal
}

func TestFeedbackIsCountedForTheVersionInService(t *testing.T) {
	var told recorder
	other := prometheus.NewCounter(prometheus.CounterOpts{Name: "other_total", Help: "Of somebody else."})
	s := start(t, Options{Version: "12", Recorder: &told, Collectors: []prometheus.Collector{other}})
	feedback := func(correct string) float64 {
		return s.metric("digits_feedback_total", "correct", correct, "model_version", "12")
	}
	require.Zero(t, feedback("true"), "it is there before the first request, so that the first is seen to be an increase")
	require.Zero(t, feedback("false"))

	p := classifier().Predict(&samples().Test.Images[0])
	right := string(rune('0' + p.Class))
	wrong := string(rune('0' + (p.Class+1)%10))
	for _, label := range []string{right, wrong, wrong, ""} {
		status, r, _ := s.postLabelled(1, label)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "12", r.ModelVersion)
		require.Equal(t, p, r.Predictions[0], "the label makes no difference to what is predicted")
	}
	require.Equal(t, 1.0, feedback("true"))
	require.Equal(t, 2.0, feedback("false"))
	require.Equal(t, []int{int(right[0] - '0'), int(wrong[0] - '0'), int(wrong[0] - '0'), digits.NoClass}, told.labels)
	require.Equal(t, samples().Test.Images[0], told.images[3])
	require.Equal(t, p, told.said[3])

	status, r, _ := s.postLabelled(3, " 1,,9")
	require.Equal(t, http.StatusOK, status)
	require.Len(t, r.Predictions, 3)
	require.Equal(t, []int{1, digits.NoClass, 9}, told.labels[4:])
	require.Equal(t, 5.0, feedback("true")+feedback("false"))
	require.Equal(t, 7.0, s.metric("digits_predictions_total", "model_version", "12"))
	require.Equal(t, 1.0, s.metric("digits_model_info", "version", "12"))
	require.Zero(t, s.metric("other_total"))
}

func TestLabelsThatFitNothingAreRefused(t *testing.T) {
	var told recorder
	s := start(t, Options{Recorder: &told})
	for name, c := range map[string]struct {
		images int
		label  string
		want   []string
	}{
		"no digit":              {1, "seven", []string{`X-Label: label 0 is "seven"`}},
		"two digits":            {1, "42", []string{`X-Label: label 0 is "42"`}},
		"too many":              {1, "4,2", []string{"X-Label: 2 labels for 1 images"}},
		"too few":               {3, "4", []string{"X-Label: 1 labels for 3 images"}},
		"every one of them":     {3, "x,1,-1", []string{`label 0 is "x"`, `label 2 is "-1"`}},
		"too long to be quoted": {1, strings.Repeat("7", 500), []string{`label 0 is "77777777777777777777"`}},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, r := s.postLabelled(c.images, c.label)
			require.Equal(t, http.StatusBadRequest, status)
			require.Len(t, r.Mistakes, len(c.want))
			for i, want := range c.want {
				require.Contains(t, r.Mistakes[i], want)
			}
		})
	}
	require.Empty(t, told.labels)
	require.Zero(t, s.metric("digits_feedback_total"))
}
