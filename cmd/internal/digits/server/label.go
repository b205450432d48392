package server

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

// labelHeader has the label of each image of a request: "7", or "7,3,," for four images of which
// the last two are not known. It simulates labels that become known later; the model never sees
// it.
const labelHeader = "X-Label"

// parseLabels returns the label of each of n images.
func parseLabels(h http.Header, n int) (labels []int, mistakes []string) {
	labels = make([]int, n)
	for i := range labels {
		labels[i] = digits.NoClass
	}
	text := h.Get(labelHeader)
	if text == "" || n == 0 { // without images there is another mistake
		return labels, nil
	}
	words := strings.Split(text, ",")
	if len(words) != n {
		return nil, []string{fmt.Sprintf("%s: %d labels for %d images", labelHeader, len(words), n)}
	}
	for i, word := range words {
		switch word = strings.TrimSpace(word); {
		case word == "":
		case len(word) == 1 && word[0] >= '0' && word[0] < '0'+digits.Classes:
			labels[i] = int(word[0] - '0')
		default:
			mistakes = append(mistakes, fmt.Sprintf("%s: label %d is %.20q, which is no digit", labelHeader, i, word))
		}
	}
	return labels, mistakes
}
