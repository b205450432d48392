package server

import (
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// indexEntry is a path that the server serves.
type indexEntry struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	// Right is the right that a request needs beyond loopback; "" for a path that is open.
	Right Right `json:"right,omitempty"`
}

// index lists the paths, those that are open first. It is open itself: it says nothing about
// agents.
func index(o Options) []indexEntry {
	out := []indexEntry{{"GET", "/healthz", ""}, {"GET", "/readyz", ""}, {"GET", "/metrics", ""}}
	add := func(method string, right Right, paths []string) {
		for _, path := range paths {
			out = append(out, indexEntry{method, path, right})
		}
	}
	add("GET", Read, slices.Sorted(maps.Keys(o.API)))
	add("GET", Read, slices.Sorted(maps.Keys(o.ForPeers)))
	if o.Receive != nil {
		add("POST", Send, []string{"/v1/alerts", "/v1/events"})
	}
	add("POST", Answer, slices.Sorted(maps.Keys(o.Answers)))
	return out
}

// serveIndex responds with the paths, as text or as JSON.
func serveIndex(o Options) http.HandlerFunc {
	entries := index(o)
	var text strings.Builder
	text.WriteString("scanflow: agents that supervise machine-learning workflows\n\n")
	for _, e := range entries {
		right := "open"
		if e.Right != "" {
			right = string(e.Right)
		}
		fmt.Fprintf(&text, "%-4s  %-6s  %s\n", e.Method, right, e.Path)
	}
	text.WriteString("\nread, send and answer are the rights of a credential (Authorization: Bearer TOKEN).\n`scanflow status` and `scanflow decisions` show the same to a person.")
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept")
		if wantsJSON(r) {
			replyJSON(w, http.StatusOK, map[string]any{"paths": entries})
			return
		}
		replyText(w, http.StatusOK, text.String())
	}
}

// wantsJSON reports whether a request asks for JSON by name.
func wantsJSON(r *http.Request) bool {
	for _, accept := range r.Header.Values("Accept") {
		for one := range strings.SplitSeq(accept, ",") {
			kind, params, err := mime.ParseMediaType(strings.TrimSpace(one))
			if err == nil && kind == "application/json" && params["q"] != "0" {
				return true
			}
		}
	}
	return false
}
