package tracker

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// maxPage is MLflow's limit for a page of runs and of experiments.
const maxPage = 50_000

// page selects a part of the results.
type page struct {
	offset, max int64 // max -1: all
}

// pageOf reads a request's paging. As in MLflow, a token is the offset of the next page, so
// that a result can move to another page if rows are created between two requests.
func pageOf(max *integer, token string, standard, most int64) (page, error) {
	p := page{max: standard}
	if max != nil {
		p.max = int64(*max)
		if p.max < 1 || p.max > most {
			return page{}, invalid("Invalid value %d for parameter 'max_results' supplied: it must be at least 1 and at most %d.%s", p.max, most, seeDocs)
		}
	}
	if token == "" {
		return p, nil
	}
	var at struct {
		Offset int64 `json:"offset"`
	}
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(raw, &at) != nil || at.Offset < 1 {
		return page{}, invalid("Invalid page token '%s'", shorten(token))
	}
	p.offset = at.Offset
	return p, nil
}

// limit returns one more than requested, to detect a next page.
func (p page) limit() int64 {
	if p.max < 0 {
		return -1
	}
	return p.max + 1
}

// cutPage removes the extra result, and returns the token of the next page.
func cutPage[T any](p page, found []T) ([]T, string) {
	if p.max < 0 || int64(len(found)) <= p.max {
		return found, ""
	}
	return found[:p.max], base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"offset": %d}`, p.offset+p.max))
}
