package mlflow

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// pageSize is the number of results requested at once. MLflow allows 50,000 runs.
const pageSize = 1000

// errLoop: the server returns the same pages again and again.
var errLoop = errors.New("the server names a page it gave as the next one; its paging is broken")

// pages are the tokens of the pages that were requested.
type pages map[string]bool

// next reports whether there is another page, by the token that the server returned. The error
// is errLoop if it was requested before.
func (p pages) next(call, token string) (more bool, err error) {
	switch {
	case token == "":
		return false, nil
	case p[token]:
		return false, fmt.Errorf("%s: %w", call, errLoop)
	}
	p[token] = true
	return true, nil
}

// Search selects runs.
type Search struct {
	ExperimentIDs []string
	// Filter uses MLflow's grammar, as in metrics.accuracy > 0.9 and attributes.status =
	// 'FINISHED'.
	Filter string
	// OrderBy uses the same grammar, as in attributes.start_time DESC. If it is empty, the
	// latest start comes first.
	OrderBy []string
	// Max bounds the number of runs; 0 returns all.
	Max int
}

// Literal quotes a text for a filter. MLflow's grammar can't express a text that holds both
// kinds of quotes.
func Literal(s string) string {
	if strings.Contains(s, "'") {
		return `"` + s + `"`
	}
	return "'" + s + "'"
}

type wireSearch struct {
	ExperimentIDs []string `json:"experiment_ids"`
	Filter        string   `json:"filter,omitempty"`
	View          string   `json:"run_view_type"`
	Max           int      `json:"max_results"`
	OrderBy       []string `json:"order_by,omitempty"`
	Token         string   `json:"page_token,omitempty"`
}

// SearchRuns returns the runs found, without deleted ones.
func (c *Client) SearchRuns(ctx context.Context, s Search) ([]Run, error) {
	var all []Run
	err := c.EachRun(ctx, s, func(r Run) { all = append(all, r) })
	if err != nil {
		return nil, err
	}
	return all, nil
}

// EachRun calls each for every run found, in order, and holds one page in memory. MLflow's pages
// are no snapshot: a run that is created or deleted meanwhile may cause others to be left out or
// to come twice. An order by start time ASC leaves out none.
func (c *Client) EachRun(ctx context.Context, s Search, each func(Run)) error {
	ask := wireSearch{ExperimentIDs: s.ExperimentIDs, Filter: s.Filter, View: "ACTIVE_ONLY", OrderBy: s.OrderBy}
	asked := pages{}
	for left := s.Max; ; {
		ask.Max = pageSize
		if s.Max > 0 {
			ask.Max = min(pageSize, left)
		}
		var page struct {
			Runs []wireRun `json:"runs"`
			Next string    `json:"next_page_token"`
		}
		if err := c.post(ctx, "runs/search", ask, &page); err != nil {
			return err
		}
		for i := range page.Runs {
			if s.Max > 0 && left == 0 {
				return nil
			}
			each(page.Runs[i].run())
			left--
		}
		if s.Max > 0 && left == 0 {
			return nil
		}
		if more, err := asked.next("runs/search", page.Next); !more {
			return err
		}
		ask.Token = page.Next
	}
}
