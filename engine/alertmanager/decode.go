package alertmanager

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonscan"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

const (
	// maxValues bounds the JSON values of a payload.
	maxValues = 250_000
	// maxDepth bounds the nesting: fields that Alertmanager may add are ignored.
	maxDepth = 64
	// maxEventBytes bounds the data of all events of a payload: each repeats that of the group.
	maxEventBytes = 16 << 20
)

// decode parses a payload. It checks the bounds first, so that a hostile one is cheap to refuse.
func decode(body []byte) (*payload, error) {
	if !utf8.Valid(body) {
		return nil, mistake.Mistakes{{Message: "the body is not UTF-8"}}
	}
	if _, err := jsonscan.Check(body, jsonscan.Limits{Values: maxValues, Depth: maxDepth}); err != nil {
		return nil, refuse(err)
	}
	if strings.HasPrefix(strings.TrimSpace(string(body[:min(len(body), 64)])), "[") {
		return nil, mistake.Mistakes{{Message: "the body is not what Alertmanager sends: it is a list of alerts, as Prometheus and vmalert send them to an Alertmanager", Fix: "have the Alertmanager send them here"}}
	}
	p := &payload{}
	if err := json.Unmarshal(body, p); err != nil {
		return nil, mistake.Mistakes{{Message: "the body is not what Alertmanager sends: " + problem(err)}}
	}
	return p, nil
}

func refuse(err error) error {
	var found *jsonscan.Error
	if errors.Is(err, jsonscan.ErrTooMany) || !errors.As(err, &found) {
		return fmt.Errorf("%w: the body %w; have the route group the alerts by more labels", ErrTooLarge, err)
	}
	where := strings.TrimPrefix(found.Path, ".")
	if where == "" || errors.Is(err, jsonscan.ErrTooDeep) {
		where = "it"
	}
	return mistake.Mistakes{{Message: "the body is not what Alertmanager sends: " + where + " " + found.Text}}
}

func problem(err error) string {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) && kind.Field != "" {
		return fmt.Sprintf("%s: must not be a JSON %s", engine.Echo(kind.Field), kind.Value)
	}
	return engine.Echo(strings.TrimPrefix(err.Error(), "json: "))
}

// checkSize returns an error if an event of the payload, or all together, would be too large.
func (p *payload) checkSize(bodyBytes int) error {
	labels, err := json.Marshal(p.GroupLabels)
	if err != nil {
		return fmt.Errorf("write the labels of the group: %w", err)
	}
	group := len(labels) + len(p.GroupKey) + len(p.ExternalURL)
	if all := bodyBytes + len(p.Alerts)*group; all > maxEventBytes {
		return fmt.Errorf("%w: each of %d alerts repeats the %d bytes of its group, and with them they have %d bytes; at most %d are read",
			ErrTooLarge, len(p.Alerts), group, all, maxEventBytes)
	}
	for i := range p.Alerts {
		// The 12 are the event's data and its fields.
		if n := len(p.Alerts[i].Labels) + len(p.Alerts[i].Annotations) + len(p.GroupLabels) + 12; n > engine.MaxEventValues {
			return fmt.Errorf("%w: alerts[%d] has %d values with those of its group; at most %d are read", ErrTooLarge, i, n, engine.MaxEventValues)
		}
	}
	return nil
}
