package sensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

// ErrPartial is an answer that its server calls partial: a sum without the series of a
// store that did not answer is a lower number, and not a measured one.
var ErrPartial = errors.New("the server calls its answer partial")

const partialFix = "mend what did not answer; with ?partial_response=false (Thanos) or ?deny_partial_response=1 (VictoriaMetrics) at the end of the address, the server itself refuses such a query, and says why"

// saysPartial reports whether an answer has VictoriaMetrics' mark of a partial one at its
// top level. An answer without the word is not decoded for it: it may have megabytes.
func saysPartial(body []byte) bool {
	if !bytes.Contains(body, []byte(`"isPartial"`)) {
		return false
	}
	var top struct {
		IsPartial json.RawMessage `json:"isPartial"`
	}
	if json.Unmarshal(body, &top) != nil {
		return false // whoever reads the answer says what is wrong with it
	}
	said := string(top.IsPartial)
	return said != "" && said != "false" && said != "null"
}

// ownWarning reports whether a warning is PromQL's own, which is about the query and not
// about missing series. All of the engine's annotations begin with their kind. What else
// comes under `warnings` is of a store that failed (Thanos, Cortex, remote read), or says
// that series or warnings were left out.
func ownWarning(text string) bool {
	return strings.HasPrefix(text, "PromQL warning") || strings.HasPrefix(text, "PromQL info")
}

// partial is the error of an answer with warnings that are not PromQL's own; nil where
// there are none.
func (q *querier) partial(warnings v1.Warnings) error {
	var foreign []string
	for _, w := range warnings {
		if !ownWarning(w) {
			foreign = append(foreign, w)
		}
	}
	if len(foreign) == 0 {
		return nil
	}
	text := q.client.secrets.hide(strings.Join(foreign, "; "))
	return partialError(place(q.server.base), "it has the warning: "+text)
}

func partialError(where, since string) error {
	return &cleanError{text: fmt.Sprintf("%s: %v: %s; %s", where, ErrPartial, since, partialFix), cause: ErrPartial}
}
