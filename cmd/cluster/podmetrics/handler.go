package podmetrics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const group, version = "custom.metrics.k8s.io", "v1beta2"

var pods = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// metricValueList and its parts are copied from k8s.io/metrics/pkg/apis/custom_metrics/v1beta2.
type metricValueList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []metricValue `json:"items"`
}

type metricValue struct {
	DescribedObject corev1.ObjectReference `json:"describedObject"`
	Metric          metricIdentifier       `json:"metric"`
	Timestamp       metav1.Time            `json:"timestamp"`
	Value           resource.Quantity      `json:"value"`
}

type metricIdentifier struct {
	Name string `json:"name"`
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	root := "GET /apis/" + group + "/" + version
	mux.HandleFunc(root, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.discovery()) })
	mux.HandleFunc(root+"/namespaces/{namespace}/pods/{name}/{metric}", s.serveValues)
	return mux
}

func (s *Server) discovery() metav1.APIResourceList {
	return metav1.APIResourceList{
		TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
		GroupVersion: group + "/" + version,
		APIResources: []metav1.APIResource{{Name: "pods/" + s.o.Metric, Namespaced: true, Kind: "MetricValueList", Verbs: metav1.Verbs{"get"}}},
	}
}

func (s *Server) serveValues(w http.ResponseWriter, r *http.Request) {
	if metric := r.PathValue("metric"); metric != s.o.Metric {
		writeError(w, http.StatusNotFound, metav1.StatusReasonNotFound, fmt.Errorf("there is no metric %s of pods: %s is served", metric, s.o.Metric))
		return
	}
	list, err := s.values(r.Context(), r.PathValue("namespace"), r.PathValue("name"), r.URL.Query().Get("labelSelector"))
	if err != nil {
		writeError(w, http.StatusInternalServerError, metav1.StatusReasonInternalError, err)
		return
	}
	writeJSON(w, http.StatusOK, list)
}

// values returns the values of the existing pods. A pod without a value, or with one that
// is NaN or infinite, is left out.
func (s *Server) values(ctx context.Context, namespace, name, selector string) (metricValueList, error) {
	options := metav1.ListOptions{LabelSelector: selector}
	if name != "*" {
		options = metav1.ListOptions{FieldSelector: "metadata.name=" + name}
	}
	list, err := s.o.Client.Dynamic.Resource(pods).Namespace(namespace).List(ctx, options)
	if err != nil {
		return metricValueList{}, err
	}
	measured, err := s.query(ctx, namespace)
	if err != nil {
		return metricValueList{}, err
	}
	out := metricValueList{TypeMeta: metav1.TypeMeta{Kind: "MetricValueList", APIVersion: group + "/" + version}, Items: []metricValue{}}
	for _, pod := range list.Items {
		sample, ok := measured[pod.GetName()]
		if !ok || math.IsNaN(float64(sample.Value)) || math.IsInf(float64(sample.Value), 0) {
			continue
		}
		out.Items = append(out.Items, metricValue{
			DescribedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: namespace, Name: pod.GetName()},
			Metric:          metricIdentifier{Name: s.o.Metric},
			Timestamp:       metav1.NewTime(sample.Timestamp.Time()),
			Value:           *resource.NewMilliQuantity(int64(float64(sample.Value)*1000), resource.DecimalSI),
		})
	}
	return out, nil
}

// query queries Prometheus and returns the samples of a namespace by pod.
func (s *Server) query(ctx context.Context, namespace string) (map[string]*model.Sample, error) {
	answer, warnings, _, err := s.prometheus.Query(ctx, s.o.Query, time.Now())
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask Prometheus: %w", err)
	case len(warnings) > 0:
		return nil, fmt.Errorf("the answer to %s may be a part: %s", s.o.Query, strings.Join(warnings, "; "))
	}
	vector, ok := answer.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("the query %s gives a %s: write one that gives a vector", s.o.Query, answer.Type())
	}
	measured := map[string]*model.Sample{}
	for _, sample := range vector {
		pod := string(sample.Metric["pod"])
		if pod == "" || sample.Metric["namespace"] == "" {
			return nil, fmt.Errorf("the query %s gives the series %s: write one whose series have the labels namespace and pod", s.o.Query, sample.Metric)
		}
		if string(sample.Metric["namespace"]) != namespace {
			continue
		}
		if other := measured[pod]; other != nil {
			return nil, fmt.Errorf("the query %s gives two series of the pod %s, %s and %s", s.o.Query, pod, other.Metric, sample.Metric)
		}
		measured[pod] = sample
	}
	return measured, nil
}

func writeError(w http.ResponseWriter, code int, reason metav1.StatusReason, err error) {
	writeJSON(w, code, metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
		Message: err.Error(), Reason: reason, Code: int32(code),
	})
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		http.Error(w, errors.Join(errors.New("encode the answer"), err).Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(raw) // the error is that the client has left
}
