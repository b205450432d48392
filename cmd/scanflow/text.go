package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// paramsText formats the parameters of a primitive on one line: replicas=4.
func paramsText(with map[string]any) string {
	parts := make([]string, 0, len(with))
	for _, k := range slices.Sorted(maps.Keys(with)) {
		raw, err := json.Marshal(with[k])
		if err != nil {
			raw = []byte("?")
		}
		parts = append(parts, fmt.Sprintf("%s=%s", k, strings.Trim(string(raw), `"`)))
	}
	return strings.Join(parts, " ")
}

// callText formats a primitive with its parameters: scale(replicas=4).
func callText(verb string, with map[string]any) string {
	return verb + "(" + paramsText(with) + ")"
}
