package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ShortID returns the part of a decision's id that names it within one journal: N/INDEX of
// EPOCH-N/INDEX.
func ShortID(id string) string { return id[strings.LastIndexByte(id, '-')+1:] }

// key returns the row of a decision's id, FIRING/INDEX, or of its ShortID. It is an ErrNotFound if there is
// none, and another error if a short id stands for several.
func (r *Reader) key(ctx context.Context, id string) (int64, error) {
	malformed := fmt.Errorf("decision %q: an id is FIRING/NUMBER, or the identity of an act", id)
	cut := strings.LastIndexByte(id, '/')
	if cut < 1 {
		return 0, malformed
	}
	index, err := strconv.ParseUint(id[cut+1:], 10, decisionBits)
	if err != nil {
		return 0, malformed
	}
	query, firing := `SELECT seq, id FROM firings WHERE id = ?`, id[:cut]
	if _, err := strconv.ParseUint(firing, 10, 63); err == nil {
		query, firing = `SELECT seq, id FROM firings WHERE id LIKE ? ORDER BY seq`, "%-"+firing
	}
	var keys []int64
	var names []string
	err = r.each(ctx, func(rows *sql.Rows) error {
		var seq int64
		var name string
		err := rows.Scan(&seq, &name)
		keys, names = append(keys, seq<<decisionBits|int64(index)), append(names, fmt.Sprintf("%s/%d", name, index))
		return err
	}, query, firing)
	switch {
	case err != nil:
		return 0, fmt.Errorf("decision %s: %w", id, r.readError(err))
	case len(keys) == 0:
		return 0, fmt.Errorf("decision %s: %w", id, ErrNotFound)
	case len(keys) > 1:
		return 0, fmt.Errorf("decision %s: the journal has several of this number; write one of %s", id, strings.Join(names, ", "))
	}
	return keys[0], nil
}

// Decision returns the decision with an id, or with the ShortID. It is an ErrNotFound if there is none.
func (r *Reader) Decision(ctx context.Context, id string) (Row, error) {
	key, err := r.key(ctx, id)
	if err != nil {
		return Row{}, err
	}
	var found []Row
	err = r.each(ctx, func(rows *sql.Rows) error {
		_, row, err := scanRow(rows)
		found = append(found, row)
		return err
	}, selectRows+` WHERE d.id = ?`, key)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Row{}, fmt.Errorf("decision %s: %w", id, r.readError(err))
	}
	return found[0], nil
}

// Document returns the document of a decision as JSON, by its id or ShortID. It is an ErrNotFound if there
// is no such decision, or the decision has no document.
func (r *Reader) Document(ctx context.Context, id string) (json.RawMessage, error) {
	key, err := r.key(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("document of %w", err)
	}
	var body []byte
	err = r.db.QueryRowContext(ctx, `SELECT documents.body FROM decisions, documents WHERE decisions.id = ? AND documents.id = decisions.document`, key).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("document of decision %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("document of decision %s: %w", id, r.readError(err))
	}
	return decompress(body)
}
