package journal

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// Row is a decision with its firing and the outcome of its act. Its JSON is one flat object.
type Row struct {
	// ID is the decision's id, for Reader.Document.
	ID string `json:"id"`
	// Seq orders the rows of a journal: a later row has a greater one. See Filter.After.
	Seq      int64              `json:"seq"`
	At       time.Time          `json:"at"`
	Agent    string             `json:"agent"`
	Firing   string             `json:"firing"`
	Trigger  engine.TriggerInfo `json:"trigger"`
	Revision string             `json:"revision"`
	// Policy has the age of the policy revision, and whether a later change was refused.
	Policy engine.PolicyInfo `json:"policy"`
	engine.Decision
	// Diff is the planned change of the act. Outcome is nil without an act, and has the status
	// Running if the act has no conclusion yet.
	Diff    string          `json:"diff,omitempty"`
	Outcome *engine.Outcome `json:"outcome,omitempty"`
	EndedAt *time.Time      `json:"ended_at,omitempty"`
}

// Firing is a firing with the counts of its decisions.
type Firing struct {
	engine.FiringRecord
	Verdicts
}

// Verdicts counts the decisions of a firing by verdict.
type Verdicts struct {
	Admitted  int `json:"admitted"`
	Refused   int `json:"refused"`
	Unchanged int `json:"unchanged"`
	Waiting   int `json:"waiting"` // for approval
}

func (v *Verdicts) add(verdict engine.Verdict) {
	switch verdict {
	case engine.Admitted:
		v.Admitted++
	case engine.Unchanged:
		v.Unchanged++
	case engine.Waiting:
		v.Waiting++
	default:
		v.Refused++
	}
}

// Decisions returns the selected decisions without their documents.
func (r *Reader) Decisions(ctx context.Context, f Filter) ([]Row, error) {
	var out []Row
	for row, err := range r.EachDecision(ctx, f) {
		if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, nil
}

// EachDecision iterates over decisions without holding them in memory. It ends at the first
// error, which it yields.
func (r *Reader) EachDecision(ctx context.Context, f Filter) iter.Seq2[Row, error] {
	w := conditions{}
	w.add(f.Strategy != "", `d.strategy = ?`, f.Strategy)
	w.add(f.Verb != "", `d.verb = ?`, f.Verb)
	w.add(f.Verdict != "", `d.verdict = ?`, string(f.Verdict))
	w.add(f.Identity != "", `d.identity = ?`, f.Identity)
	w.add(f.Outcome == engine.Running, `a.identity IS NOT NULL AND a.status IS NULL`)
	w.add(f.Outcome != "" && f.Outcome != engine.Running, `a.status = ?`, string(f.Outcome))
	w.add(f.After != 0, `d.id > ?`, f.After)
	w.add(f.Before != 0, `d.id < ?`, f.Before)
	namespace, name, qualified := strings.Cut(f.Target, "/")
	if !qualified {
		name = f.Target
	}
	w.add(f.Target != "", `d.name = ?`, name)
	w.add(qualified, `d.namespace = ?`, namespace)
	w.addTimeRange(f, `(SELECT min(seq) FROM firings WHERE at >= ?) << `+strconv.Itoa(decisionBits), `d.id >= `)
	return queryPages(ctx, r, f, selectRows, `d.id`, w, scanRow)
}

// selectRows selects what scanRow reads.
var selectRows = `SELECT d.id, d.body, f.id, f.agent, f.at, f.body, a.body, a.status, a.detail, a.applied, a.ended
	FROM decisions d CROSS JOIN firings f ON f.seq = d.id >> ` + strconv.Itoa(decisionBits) + ` LEFT JOIN acts a ON a.identity = d.identity`

// Firings returns the firings that a filter's Agent, Since, Until, Limit and OldestFirst
// select. The other fields must be empty.
func (r *Reader) Firings(ctx context.Context, f Filter) ([]Firing, error) {
	var out []Firing
	for row, err := range r.EachFiring(ctx, f) {
		if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, nil
}

// EachFiring iterates over firings without holding them in memory. It ends at the first error,
// which it yields.
func (r *Reader) EachFiring(ctx context.Context, f Filter) iter.Seq2[Firing, error] {
	if f.Target != "" || f.Strategy != "" || f.Verb != "" || f.Verdict != "" || f.Outcome != "" || f.Identity != "" || f.After != 0 || f.Before != 0 {
		return func(yield func(Firing, error) bool) {
			yield(Firing{}, errors.New("firings are chosen by agent and time only"))
		}
	}
	w := conditions{}
	w.addTimeRange(f, `(SELECT min(seq) FROM firings WHERE at >= ?)`, `f.seq >= `)
	return queryPages(ctx, r, f, `SELECT f.seq, f.id, f.agent, f.at, f.admitted, f.refused, f.unchanged, f.waiting, f.body FROM firings f`, `f.seq`, w, scanFiring)
}

func scanRow(rows *sql.Rows) (int64, Row, error) {
	var (
		id, at          int64
		row             Row
		body, fbody, ab []byte
		status, detail  sql.NullString
		applied         sql.NullBool
		ended           sql.NullInt64
		f               firingBody
	)
	if err := rows.Scan(&id, &body, &row.Firing, &row.Agent, &at, &fbody, &ab, &status, &detail, &applied, &ended); err != nil {
		return 0, row, err
	}
	if err := errors.Join(jsonvalue.Unmarshal(body, &row.Decision), jsonvalue.Unmarshal(fbody, &f)); err != nil {
		return 0, row, err
	}
	row.ID = row.Firing + "/" + strconv.FormatInt(id&(1<<decisionBits-1), 10)
	row.Seq = id
	row.At, row.Trigger, row.Revision, row.Policy = timeOf(at), f.Trigger, f.Revision, f.Policy
	if ab == nil {
		return id, row, nil
	}
	var act actBody
	if err := jsonvalue.Unmarshal(ab, &act); err != nil {
		return 0, row, err
	}
	row.Diff, row.Outcome = act.Change.Diff, &engine.Outcome{Status: engine.Running}
	if status.Valid {
		row.Outcome = &engine.Outcome{Status: engine.Status(status.String), Detail: detail.String, Applied: applied.Bool}
		end := timeOf(ended.Int64)
		row.EndedAt = &end
	}
	return id, row, nil
}

func scanFiring(rows *sql.Rows) (int64, Firing, error) {
	var seq, at int64
	var out Firing
	var raw []byte
	if err := rows.Scan(&seq, &out.ID, &out.Agent, &at, &out.Admitted, &out.Refused, &out.Unchanged, &out.Waiting, &raw); err != nil {
		return 0, out, err
	}
	var f firingBody
	err := jsonvalue.Unmarshal(raw, &f)
	out.At = timeOf(at)
	out.Trigger, out.Revision, out.Took, out.Targets, out.Evaluated, out.Evaluations = f.Trigger, f.Revision, f.Took, f.Targets, f.Evaluated, f.Evaluations
	out.Policy, out.Lag, out.Signals, out.Problems = f.Policy, f.Lag, f.Signals, f.Problems
	out.Faults, out.MoreFaults = f.Faults, f.More
	return seq, out, err
}
