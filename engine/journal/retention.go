package journal

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

const (
	// chunk is the most rows that one deletion takes, and so bounds how long the
	// callers beside it wait.
	chunk = 200
	// keepFree is how many free pages stay in the file to be used again (4 MiB).
	keepFree = 1024
	// vacuumPages is how many pages are given back to the file system at a time.
	vacuumPages = 256
	// healEvery is how often a journal that is ill tries to write.
	healEvery = 10 * time.Second
)

// keep prunes the journal, and tries to write where it is ill, until ctx ends.
func (j *Journal) keep(ctx context.Context) {
	due := j.opts.Clock.Now()
	for engine.Sleep(ctx, j.opts.Clock, min(j.opts.PruneEvery, healEvery)) {
		if j.Health() != nil {
			// Its outcome is the health, which is logged where it turns.
			_ = j.writer.do(ctx, func(ctx context.Context, s *store) error { return s.touch(ctx) })
		} else { // nothing is written, and a file that is gone is noticed
			_ = j.writer.do(ctx, func(context.Context, *store) error { return nil })
		}
		if now := j.opts.Clock.Now(); j.Health() == nil && !now.Before(due) {
			due = now.Add(j.opts.PruneEvery)
			if err := j.Prune(ctx); err != nil && ctx.Err() == nil {
				j.opts.Log.Warn("old rows of the journal can't be deleted", "error", err)
			}
		}
	}
}

// Prune deletes what is older than MaxAge, then the oldest while the file is larger
// than MaxBytes, and gives room back to the file system. The journal does it by
// itself each PruneEvery.
func (j *Journal) Prune(ctx context.Context) error {
	now := j.opts.Clock.Now()
	cutoff := now.Add(-j.opts.MaxAge).UnixNano()
	if _, err := j.pruneBefore(ctx, cutoff); err != nil {
		return err
	}
	if err := j.pruneMail(ctx, cutoff); err != nil {
		return fmt.Errorf("delete events that came to their end: %w", err)
	}
	if err := j.drop(ctx, endedApprovals, cutoff, now.UnixNano()); err != nil {
		return fmt.Errorf("delete ended approvals: %w", err)
	}
	if err := j.pruneToSize(ctx); err != nil {
		return err
	}
	return j.shrink(ctx)
}

// endedApprovals deletes those that ended before a time, and count no more: what is in
// seconds here is engine.Approval.Counts.
const endedApprovals = `DELETE FROM approvals WHERE seq IN (SELECT seq FROM approvals WHERE ended < ?1
	AND ended + coalesce(unixepoch(json_extract(CAST(body AS TEXT), '$.expires')) - unixepoch(json_extract(CAST(body AS TEXT), '$.asked')), 0) * 1000000000 < ?2
	LIMIT ?3)`

// pruneMail deletes what was handled, delivered, dropped or died before a time, and what
// was said of alerts. What waits stays.
func (j *Journal) pruneMail(ctx context.Context, cutoff int64) error {
	if err := j.writer.do(ctx, func(ctx context.Context, s *store) error { return s.saveNumber(ctx) }); err != nil {
		return err
	}
	for _, box := range []string{"inbox", "outbox"} {
		if err := j.drop(ctx, `DELETE FROM `+box+` WHERE seq IN (SELECT seq FROM `+box+` WHERE state <> 'waiting' AND since < ? LIMIT ?)`, cutoff); err != nil {
			return err
		}
	}
	return j.drop(ctx, oldAlerts, cutoff)
}

// oldest is the time up to which the firings and their decisions are one chunk of
// rows, or else that of the oldest firing.
const oldest = `SELECT coalesce(max(CASE WHEN n <= ?1 THEN at END), min(at)) FROM (
	SELECT at, sum(1 + admitted + refused + unchanged + waiting) OVER (ORDER BY at, seq) AS n FROM (SELECT * FROM firings ORDER BY at LIMIT ?1))`

// pruneToSize moves the cutoff on, a few firings at a time, until a tenth of
// MaxBytes is free.
func (j *Journal) pruneToSize(ctx context.Context) error {
	used, _, err := j.pagesOf(ctx)
	if err != nil || used <= j.opts.MaxBytes {
		return err
	}
	for used > j.opts.MaxBytes/10*9 {
		cutoff, err := j.number(ctx, oldest, chunk/4)
		if err == nil && cutoff == 0 {
			cutoff, err = j.number(ctx, `SELECT max(max(at, ended)) FROM (SELECT at, ended FROM acts a WHERE ended IS NOT NULL AND `+superseded+` ORDER BY ended LIMIT ?)`, chunk)
		}
		if err != nil {
			return err
		}
		n, err := j.pruneBefore(ctx, cutoff+1)
		if err != nil {
			return err
		}
		if n == 0 {
			j.opts.Log.Warn("the journal is larger than it may be, and nothing in it may be deleted", "bytes", used, "max", j.opts.MaxBytes)
			return nil
		}
		if used, _, err = j.pagesOf(ctx); err != nil {
			return err
		}
	}
	return nil
}

// superseded says of an act that a later one has its place in an agent's memory.
// That never becomes untrue, so it may be asked beside the writer.
const superseded = `EXISTS (SELECT 1 FROM acts b WHERE b.agent = a.agent AND b.namespace = a.namespace AND b.name = a.name
	AND b.kind = a.kind AND b.strategy = a.strategy AND b.verb = a.verb AND b.seq > a.seq)
	AND (a.applied = 0 OR EXISTS (SELECT 1 FROM acts c WHERE c.agent = a.agent AND c.namespace = a.namespace AND c.name = a.name
	AND c.kind = a.kind AND c.verb = a.verb AND c.applied = 1 AND c.seq > a.seq))`

// pruneBefore deletes firings and acts of before a time, in chunks, and returns how
// many rows went.
func (j *Journal) pruneBefore(ctx context.Context, cutoff int64) (int, error) {
	gone := 0
	for {
		seqs, err := j.numbers(ctx, `SELECT seq FROM firings WHERE at < ? ORDER BY at LIMIT ?`, cutoff, chunk)
		if err != nil {
			return gone, fmt.Errorf("find old firings: %w", err)
		}
		if len(seqs) == 0 {
			break
		}
		if err := j.writer.do(ctx, func(ctx context.Context, s *store) error { return s.dropFirings(ctx, seqs) }); err != nil {
			return gone, fmt.Errorf("delete old firings: %w", err)
		}
		gone += len(seqs)
	}
	for {
		seqs, err := j.numbers(ctx, `SELECT seq FROM acts a WHERE ended < ?1 AND at < ?1 AND `+superseded+` LIMIT ?2`, cutoff, chunk)
		if err != nil {
			return gone, fmt.Errorf("find old acts: %w", err)
		}
		if len(seqs) == 0 {
			return gone, nil
		}
		if err := j.writer.do(ctx, func(ctx context.Context, s *store) error {
			for _, seq := range seqs {
				if err := s.exec(ctx, `DELETE FROM acts WHERE seq = ?`, seq); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return gone, fmt.Errorf("delete old acts: %w", err)
		}
		gone += len(seqs)
	}
}

// dropFirings deletes one chunk: the decisions of the firings first, a firing once
// it has none. What is left is for the next chunk.
func (s *store) dropFirings(ctx context.Context, seqs []int64) error {
	left := chunk
	for _, seq := range seqs {
		first, last := seq<<decisionBits, (seq+1)<<decisionBits-1
		documents, err := s.numbers(ctx, `DELETE FROM decisions WHERE id IN (SELECT id FROM decisions WHERE id BETWEEN ? AND ? LIMIT ?)
			RETURNING coalesce(document, 0)`, first, last, left)
		if err != nil {
			return err
		}
		for _, id := range documents {
			if err := s.exec(ctx, `DELETE FROM documents WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM decisions WHERE document = ?1)`, id); err != nil {
				return err
			}
		}
		if left -= len(documents) + 1; left < 0 {
			return nil
		}
		if err := s.exec(ctx, `DELETE FROM firings WHERE seq = ?`, seq); err != nil {
			return err
		}
	}
	return nil
}

// drop repeats a deletion, whose last parameter is its limit, until it finds nothing.
func (j *Journal) drop(ctx context.Context, query string, args ...any) error {
	for {
		var n int64
		if err := j.writer.do(ctx, func(ctx context.Context, s *store) error {
			var err error
			n, err = s.changed(ctx, query, append(args, chunk)...)
			return err
		}); err != nil || n == 0 {
			return err
		}
	}
}

// shrink gives free pages back, but for keepFree.
func (j *Journal) shrink(ctx context.Context) error {
	_, free, err := j.pagesOf(ctx)
	for last := free + 1; err == nil && free > keepFree && free < last; {
		last = free
		err = j.writer.do(ctx, func(ctx context.Context, s *store) error {
			_, err := s.numbers(ctx, fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, min(vacuumPages, free-keepFree)))
			return err
		})
		if err == nil {
			_, free, err = j.pagesOf(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("shrink the file: %w", err)
	}
	return nil
}

// pagesOf is how many bytes of the file are in use, and how many pages are free.
func (j *Journal) pagesOf(ctx context.Context) (used, free int64, err error) {
	err = j.each(ctx, func(rows *sql.Rows) error { return rows.Scan(&used, &free) },
		`SELECT (page_count - freelist_count) * page_size, freelist_count FROM pragma_page_count, pragma_freelist_count, pragma_page_size`)
	return used, free, err
}

// number is a query's one number, 0 for NULL.
func (j *Journal) number(ctx context.Context, query string, args ...any) (int64, error) {
	var n sql.NullInt64
	err := j.each(ctx, func(rows *sql.Rows) error { return rows.Scan(&n) }, query, args...)
	return n.Int64, err
}

func (j *Journal) numbers(ctx context.Context, query string, args ...any) ([]int64, error) {
	var out []int64
	err := j.each(ctx, func(rows *sql.Rows) error {
		var n int64
		err := rows.Scan(&n)
		out = append(out, n)
		return err
	}, query, args...)
	return out, err
}
