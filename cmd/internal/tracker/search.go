package tracker

import (
	"context"
	"database/sql"
)

// search is a parsed search.
type search struct {
	grammar *grammar
	where   conditions
	page    page
}

// query returns the query for the page and one row more, with its arguments.
func (s *search) query(columns, filter string, by, standard []string) (string, []any, error) {
	if err := s.grammar.where(&s.where, filter); err != nil {
		return "", nil, err
	}
	order, orderArgs, err := s.grammar.orderBy(by, standard)
	if err != nil {
		return "", nil, err
	}
	args := append(append(s.where.args, orderArgs...), s.page.limit(), s.page.offset)
	return columns + " WHERE " + s.where.String() + order + " LIMIT ? OFFSET ?", args, nil
}

// The maximum page sizes of the registry, and the default sizes of all searches, as in MLflow.
const (
	maxModelPage   = 1000
	maxVersionPage = 200_000

	standardPage      = 1000
	standardModelPage = 100
)

type searchRunsRequest struct {
	Experiments []experimentID `json:"experiment_ids"`
	Filter      string         `json:"filter"`
	View        viewType       `json:"run_view_type"`
	Max         *integer       `json:"max_results"`
	OrderBy     []string       `json:"order_by"`
	Token       string         `json:"page_token"`
}

type runsAnswer struct {
	Runs []run  `json:"runs,omitempty"`
	Next string `json:"next_page_token,omitempty"`
}

// searchRuns returns the newest first if the request has no order.
func (t *Tracker) searchRuns(ctx context.Context, q *searchRunsRequest) (any, error) {
	p, err := pageOf(q.Max, q.Token, standardPage, maxPage)
	if err != nil {
		return nil, err
	}
	s := search{grammar: runGrammar, page: p}
	s.where.add("r.experiment IN (SELECT CAST(value AS INTEGER) FROM json_each(?) WHERE value = CAST(CAST(value AS INTEGER) AS TEXT))", list(q.Experiments))
	s.where.add("r.stage IN (SELECT value FROM json_each(?))", q.View.stages())
	query, args, err := s.query(runColumns, q.Filter, q.OrderBy, []string{"r.started DESC", "r.id"})
	if err != nil {
		return nil, err
	}
	var answer runsAnswer
	return &answer, t.store.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		found, _, err := readRuns(ctx, tx, query, args...)
		answer.Runs, answer.Next = cutPage(p, found)
		return err
	})
}

type searchExperimentsRequest struct {
	Filter  string   `json:"filter"`
	View    viewType `json:"view_type"`
	Max     *integer `json:"max_results"`
	OrderBy []string `json:"order_by"`
	Token   string   `json:"page_token"`
}

type experimentsAnswer struct {
	Experiments []experiment `json:"experiments,omitempty"`
	Next        string       `json:"next_page_token,omitempty"`
}

func (t *Tracker) searchExperiments(ctx context.Context, q *searchExperimentsRequest) (any, error) {
	p, err := pageOf(q.Max, q.Token, standardPage, maxPage)
	if err != nil {
		return nil, err
	}
	s := search{grammar: experimentGrammar, page: p}
	s.where.add("e.stage IN (SELECT value FROM json_each(?))", q.View.stages())
	standard := []string{"e.id DESC"}
	if len(q.OrderBy) == 0 {
		standard = []string{"e.created DESC", "e.id"}
	}
	query, args, err := s.query(experimentColumns, q.Filter, q.OrderBy, standard)
	if err != nil {
		return nil, err
	}
	var answer experimentsAnswer
	return &answer, t.store.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		found, err := readExperiments(ctx, tx, query, args...)
		answer.Experiments, answer.Next = cutPage(p, found)
		return err
	})
}

type searchRegistryRequest struct {
	Filter  string   `json:"filter"`
	Max     *integer `json:"max_results"`
	OrderBy []string `json:"order_by"`
	Token   string   `json:"page_token"`
}

type modelsAnswer struct {
	Models []model `json:"registered_models,omitempty"`
	Next   string  `json:"next_page_token,omitempty"`
}

func (t *Tracker) searchModels(ctx context.Context, q *searchRegistryRequest) (any, error) {
	p, err := pageOf(q.Max, q.Token, standardModelPage, maxModelPage)
	if err != nil {
		return nil, err
	}
	s := search{grammar: modelGrammar, page: p}
	s.where.add("true")
	query, args, err := s.query(modelColumns, q.Filter, q.OrderBy, []string{"m.name"})
	if err != nil {
		return nil, err
	}
	var answer modelsAnswer
	return &answer, t.store.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		found, _, err := readModels(ctx, tx, query, args...)
		answer.Models, answer.Next = cutPage(p, found)
		return err
	})
}

// searchVersions returns the last changed first if the request has no order.
func (t *Tracker) searchVersions(ctx context.Context, q *searchRegistryRequest) (any, error) {
	p, err := pageOf(q.Max, q.Token, maxVersionPage, maxVersionPage)
	if err != nil {
		return nil, err
	}
	s := search{grammar: versionGrammar, page: p}
	s.where.add("v.stage != ?", gone)
	standard := []string{"m.name", "v.version DESC"}
	if len(q.OrderBy) == 0 {
		standard = append([]string{"v.updated DESC"}, standard...)
	}
	query, args, err := s.query(versionColumns, q.Filter, q.OrderBy, standard)
	if err != nil {
		return nil, err
	}
	var answer versionsAnswer
	return &answer, t.store.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		found, err := readVersions(ctx, tx, query, args...)
		answer.Versions, answer.Next = cutPage(p, found)
		return err
	})
}
