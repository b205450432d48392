package kubernetes

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
)

// seldonDeployment edits one predictor of a Seldon Core v1 SeldonDeployment. The API server
// treats the predictors as one value.
func (e *modelEdit) seldonDeployment(o map[string]any, w verbparams.ModelServe) error {
	if w.Env != "" || w.Argument != "" {
		return errors.New("a SeldonDeployment says itself where its model lies: leave out env and argument; container names the predictor")
	}
	raw, _, _ := unstructured.NestedSlice(o, "spec", "predictors") // a copy
	i, err := indexByName(raw, w.Container, "predictor")
	if err != nil {
		return err
	}
	predictor := raw[i].(map[string]any)
	at := []any{"spec", "predictors", i}
	if w.URI != "" {
		graph, ok := predictor["graph"].(map[string]any)
		if !ok {
			return fmt.Errorf("predictor %v has no graph", predictor["name"])
		}
		e.note(append(at, "graph", "modelUri"), graph["modelUri"], w.URI)
		graph["modelUri"] = w.URI
	}
	if w.CanaryPercent != nil {
		if len(raw) != 2 {
			return fmt.Errorf("canaryPercent: it has %d predictors, and the share of one of 2 can be set; use traffic for others", len(raw))
		}
		for j, share := range map[int]int64{i: int64(*w.CanaryPercent), 1 - i: int64(100 - *w.CanaryPercent)} {
			one, ok := raw[j].(map[string]any)
			if !ok {
				return fmt.Errorf("predictor %d is not written as a mapping", j)
			}
			e.note([]any{"spec", "predictors", j, "traffic"}, one["traffic"], share)
			one["traffic"] = share
		}
	}
	if len(e.changes) > 0 {
		e.set = map[string]any{"spec": map[string]any{"predictors": raw}}
	}
	return e.annotate(o, w, "metadata")
}

// indexByName returns the index of the item with a name; "" names the only item.
func indexByName(list []any, name, what string) (int, error) {
	var names []string
	for i, item := range list {
		m, _ := item.(map[string]any)
		is, _ := m["name"].(string)
		if m != nil && (is == name || name == "" && len(list) == 1) {
			return i, nil
		}
		names = append(names, is)
	}
	if name == "" {
		return 0, fmt.Errorf("it has %d %ss: say in container which of %s serves", len(list), what, strings.Join(names, ", "))
	}
	return 0, fmt.Errorf("it has no %s %q; it has %s", what, name, strings.Join(names, ", "))
}
