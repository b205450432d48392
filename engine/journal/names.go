package journal

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// recent is how many of the newest rows Names looks at.
const recent = 5000

// Names are names that a journal has, for the shell's completion and for names that a person shortens.
type Names struct {
	Agents     []string `json:"agents"`
	Targets    []string `json:"targets"` // namespace/name
	Strategies []string `json:"strategies"`
	Verbs      []string `json:"verbs"`
	IDs        []string `json:"ids"` // of the newest decisions, newest first
}

// Names returns the names in the newest rows, and all agents that left something in the journal.
func (r *Reader) Names(ctx context.Context) (Names, error) {
	out := Names{Agents: []string{}, Targets: []string{}, Strategies: []string{}, Verbs: []string{}, IDs: []string{}}
	from := fmt.Sprintf(`(SELECT * FROM decisions ORDER BY id DESC LIMIT %d)`, recent)
	for _, list := range []struct {
		to    *[]string
		query string
	}{
		{&out.Agents, fmt.Sprintf(`SELECT agent FROM (SELECT agent FROM firings ORDER BY seq DESC LIMIT %d) UNION SELECT agent FROM readings
			UNION SELECT agent FROM notes UNION SELECT agent FROM acts UNION SELECT agent FROM approvals`, recent)},
		{&out.Targets, `SELECT DISTINCT CASE namespace WHEN '' THEN name ELSE namespace || '/' || name END FROM ` + from},
		{&out.Strategies, `SELECT DISTINCT strategy FROM ` + from},
		{&out.Verbs, `SELECT DISTINCT verb FROM ` + from},
		{&out.IDs, fmt.Sprintf(`SELECT f.id || '/' || (d.id & %d) FROM decisions d JOIN firings f ON f.seq = d.id >> %d ORDER BY d.id DESC LIMIT 100`, 1<<decisionBits-1, decisionBits)},
	} {
		err := r.each(ctx, func(rows *sql.Rows) error {
			var name string
			err := rows.Scan(&name)
			*list.to = append(*list.to, name)
			return err
		}, list.query)
		if err != nil {
			return out, fmt.Errorf("query the journal: %w", r.readError(err))
		}
		if list.to != &out.IDs {
			slices.Sort(*list.to)
		}
	}
	return out, nil
}
