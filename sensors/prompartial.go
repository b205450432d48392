package sensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

// ErrPartial means that the server declared its result partial: a sum without the series of a
// store that did not respond is too low.
var ErrPartial = errors.New("the server calls its answer partial")

const partialFix = "mend what did not answer; with ?partial_response=false (Thanos) or ?deny_partial_response=1 (VictoriaMetrics) at the end of the address, the server itself refuses such a query, and says why"

// isPartial reports whether a response has VictoriaMetrics' mark of a partial result at the
// top level. A response without that word is not decoded for it, since it may have megabytes.
func isPartial(body []byte) bool {
	if !bytes.Contains(body, []byte(`"isPartial"`)) {
		return false
	}
	var top struct {
		IsPartial json.RawMessage `json:"isPartial"`
	}
	if json.Unmarshal(body, &top) != nil {
		return false // the caller reports the invalid JSON
	}
	value := string(top.IsPartial)
	return value != "" && value != "false" && value != "null"
}

// isPromQLWarning reports whether a warning is PromQL's own, which is about the query and not
// about missing series. All of the engine's annotations begin with their kind. Other warnings
// come from a store that failed (Thanos, Cortex, remote read), or mean that series or warnings
// were left out.
func isPromQLWarning(text string) bool {
	return strings.HasPrefix(text, "PromQL warning") || strings.HasPrefix(text, "PromQL info")
}

// partialWarning returns an error if a result has warnings other than PromQL's own.
func (q *querier) partialWarning(warnings v1.Warnings) error {
	var foreign []string
	for _, w := range warnings {
		if !isPromQLWarning(w) {
			foreign = append(foreign, w)
		}
	}
	if len(foreign) == 0 {
		return nil
	}
	text := q.client.secrets.redactLine(strings.Join(foreign, "; "))
	return partialError(redactedURL(q.server.base), "it has the warning: "+text)
}

func partialError(location, mark string) error {
	return &redactedError{text: fmt.Sprintf("%s: %v: %s; %s", location, ErrPartial, mark, partialFix), cause: ErrPartial}
}
