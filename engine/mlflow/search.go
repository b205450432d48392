package mlflow

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// pageSize is how many are asked for at once. MLflow gives up to 50,000 runs.
const pageSize = 1000

// errLoop is a server that gives the same pages again and again.
var errLoop = errors.New("the server names a page it gave as the next one; its paging is broken")

// pages are the tokens of the pages that a server was asked for.
type pages map[string]bool

// next finds whether there is another page, by the token that the server names. The
// error is errLoop where it was asked for before.
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

// Search says which runs to find.
type Search struct {
	ExperimentIDs []string
	// Filter is in MLflow's grammar, as in metrics.accuracy > 0.9 and attributes.status
	// = 'FINISHED'.
	Filter string
	// OrderBy is in the same, as in attributes.start_time DESC; the latest start is
	// first where it is empty.
	OrderBy []string
	// Max is the most to return; 0 is all.
	Max int
}

// Literal is a text as a filter has it. One that holds both kinds of quotes can't be
// written there.
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

// SearchRuns finds runs that are not deleted, in as many pages as they take.
func (c *Client) SearchRuns(ctx context.Context, s Search) ([]Run, error) {
	var all []Run
	err := c.EachRun(ctx, s, func(r Run) { all = append(all, r) })
	if err != nil {
		return nil, err
	}
	return all, nil
}

// EachRun calls each for every run found, in order. It keeps no more than a page of
// them. Runs that appear or go while it asks for pages may be left out or come twice,
// as MLflow's pages are not of one moment; an order by start time ASC leaves out none.
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
