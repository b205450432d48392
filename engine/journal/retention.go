package journal

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

const (
	// chunkSize bounds the rows of one deletion, and with that the delay of concurrent writes.
	chunkSize = 200
	// keepFreePages is the number of free pages that stay in the file for reuse (4 MiB).
	keepFreePages = 1024
	// vacuumPages is the number of pages that are returned to the file system at a time.
	vacuumPages = 256
	// retryInterval is the interval of attempts to write after a fault.
	retryInterval = 10 * time.Second
)

// maintain prunes the journal, and tries to write after a fault, until ctx ends.
func (j *Journal) maintain(ctx context.Context) {
	due := j.opts.Clock.Now()
	for engine.Sleep(ctx, j.opts.Clock, min(j.opts.PruneEvery, retryInterval)) {
		if j.Health() != nil {
			// The result is reported as the health, which is logged when it changes.
			_ = j.writer.do(ctx, func(ctx context.Context, s *store) error { return s.probeWrite(ctx) })
		} else { // an empty write notices a missing file
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

// Prune deletes rows older than MaxAge, then the oldest while the file is larger than
// MaxBytes, and returns free pages to the file system. The journal calls it each PruneEvery.
func (j *Journal) Prune(ctx context.Context) error {
	now := j.opts.Clock.Now()
	cutoff := now.Add(-j.opts.MaxAge).UnixNano()
	if _, err := j.pruneBefore(ctx, cutoff); err != nil {
		return err
	}
	if err := j.pruneMail(ctx, cutoff); err != nil {
		return fmt.Errorf("delete events that came to their end: %w", err)
	}
	if err := j.deleteAll(ctx, deleteEndedApprovals, cutoff, now.UnixNano()); err != nil {
		return fmt.Errorf("delete ended approvals: %w", err)
	}
	if err := j.pruneToSize(ctx); err != nil {
		return err
	}
	return j.shrink(ctx)
}

// deleteEndedApprovals deletes approvals that ended before a time and are no longer valid: the
// condition is engine.Approval.Counts, in seconds.
const deleteEndedApprovals = `DELETE FROM approvals WHERE seq IN (SELECT seq FROM approvals WHERE ended < ?1
	AND ended + coalesce(unixepoch(json_extract(CAST(body AS TEXT), '$.expires')) - unixepoch(json_extract(CAST(body AS TEXT), '$.asked')), 0) * 1000000000 < ?2
	LIMIT ?3)`

// pruneMail deletes events that were handled, delivered, dropped or buried before a time, and
// the states of alerts. It keeps waiting events.
func (j *Journal) pruneMail(ctx context.Context, cutoff int64) error {
	if err := j.writer.do(ctx, func(ctx context.Context, s *store) error { return s.saveLastSeq(ctx) }); err != nil {
		return err
	}
	for _, box := range []string{"inbox", "outbox"} {
		if err := j.deleteAll(ctx, `DELETE FROM `+box+` WHERE seq IN (SELECT seq FROM `+box+` WHERE state <> 'waiting' AND since < ? LIMIT ?)`, cutoff); err != nil {
			return err
		}
	}
	return j.deleteAll(ctx, deleteOldAlerts, cutoff)
}

// selectChunkEnd is the time up to which the firings and their decisions make up one chunk of
// rows, or that of the oldest firing if it is larger than a chunk.
const selectChunkEnd = `SELECT coalesce(max(CASE WHEN n <= ?1 THEN at END), min(at)) FROM (
	SELECT at, sum(1 + admitted + refused + unchanged + waiting) OVER (ORDER BY at, seq) AS n FROM (SELECT * FROM firings ORDER BY at LIMIT ?1))`

// pruneToSize moves the cutoff forward by a few firings at a time until a tenth of MaxBytes is
// free.
func (j *Journal) pruneToSize(ctx context.Context) error {
	used, _, err := j.pageUsage(ctx)
	if err != nil || used <= j.opts.MaxBytes {
		return err
	}
	for used > j.opts.MaxBytes/10*9 {
		cutoff, err := j.queryInt(ctx, selectChunkEnd, chunkSize/4)
		if err == nil && cutoff == 0 {
			cutoff, err = j.queryInt(ctx, `SELECT max(max(at, ended)) FROM (SELECT at, ended FROM acts a WHERE ended IS NOT NULL AND `+isSuperseded+` ORDER BY ended LIMIT ?)`, chunkSize)
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
		if used, _, err = j.pageUsage(ctx); err != nil {
			return err
		}
	}
	return nil
}

// isSuperseded is the condition that an act is no longer part of an agent's memory because of
// later ones. Once true it stays true, so it may be evaluated concurrently with the writer.
const isSuperseded = `EXISTS (SELECT 1 FROM acts b WHERE b.agent = a.agent AND b.namespace = a.namespace AND b.name = a.name
	AND b.kind = a.kind AND b.strategy = a.strategy AND b.verb = a.verb AND b.seq > a.seq)
	AND (a.applied = 0 OR EXISTS (SELECT 1 FROM acts c WHERE c.agent = a.agent AND c.namespace = a.namespace AND c.name = a.name
	AND c.kind = a.kind AND c.verb = a.verb AND c.applied = 1 AND c.seq > a.seq))`

// pruneBefore deletes firings and acts from before a time, in chunks, and returns the number
// of deleted rows.
func (j *Journal) pruneBefore(ctx context.Context, cutoff int64) (int, error) {
	deleted := 0
	for {
		seqs, err := j.queryInts(ctx, `SELECT seq FROM firings WHERE at < ? ORDER BY at LIMIT ?`, cutoff, chunkSize)
		if err != nil {
			return deleted, fmt.Errorf("find old firings: %w", err)
		}
		if len(seqs) == 0 {
			break
		}
		if err := j.writer.do(ctx, func(ctx context.Context, s *store) error { return s.deleteFirings(ctx, seqs) }); err != nil {
			return deleted, fmt.Errorf("delete old firings: %w", err)
		}
		deleted += len(seqs)
	}
	for {
		seqs, err := j.queryInts(ctx, `SELECT seq FROM acts a WHERE ended < ?1 AND at < ?1 AND `+isSuperseded+` LIMIT ?2`, cutoff, chunkSize)
		if err != nil {
			return deleted, fmt.Errorf("find old acts: %w", err)
		}
		if len(seqs) == 0 {
			return deleted, nil
		}
		if err := j.writer.do(ctx, func(ctx context.Context, s *store) error {
			for _, seq := range seqs {
				if err := s.exec(ctx, `DELETE FROM acts WHERE seq = ?`, seq); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return deleted, fmt.Errorf("delete old acts: %w", err)
		}
		deleted += len(seqs)
	}
}

// deleteFirings deletes one chunk of rows: first the decisions of each firing, then the
// firing. The next chunk continues with the rest.
func (s *store) deleteFirings(ctx context.Context, seqs []int64) error {
	left := chunkSize
	for _, seq := range seqs {
		first, last := seq<<decisionBits, (seq+1)<<decisionBits-1
		documents, err := s.queryInts(ctx, `DELETE FROM decisions WHERE id IN (SELECT id FROM decisions WHERE id BETWEEN ? AND ? LIMIT ?)
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

// deleteAll repeats a deletion, whose last parameter is its limit, until no row is left.
func (j *Journal) deleteAll(ctx context.Context, query string, args ...any) error {
	for {
		var n int64
		if err := j.writer.do(ctx, func(ctx context.Context, s *store) error {
			var err error
			n, err = s.execCount(ctx, query, append(args, chunkSize)...)
			return err
		}); err != nil || n == 0 {
			return err
		}
	}
}

// shrink returns free pages to the file system, except for keepFreePages.
func (j *Journal) shrink(ctx context.Context) error {
	_, free, err := j.pageUsage(ctx)
	for last := free + 1; err == nil && free > keepFreePages && free < last; {
		last = free
		err = j.writer.do(ctx, func(ctx context.Context, s *store) error {
			_, err := s.queryInts(ctx, fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, min(vacuumPages, free-keepFreePages)))
			return err
		})
		if err == nil {
			_, free, err = j.pageUsage(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("shrink the file: %w", err)
	}
	return nil
}

// pageUsage returns the used bytes and the number of free pages of the file.
func (j *Journal) pageUsage(ctx context.Context) (used, free int64, err error) {
	err = j.each(ctx, func(rows *sql.Rows) error { return rows.Scan(&used, &free) },
		`SELECT (page_count - freelist_count) * page_size, freelist_count FROM pragma_page_count, pragma_freelist_count, pragma_page_size`)
	return used, free, err
}

// queryInt returns the single number of a query; 0 for NULL.
func (j *Journal) queryInt(ctx context.Context, query string, args ...any) (int64, error) {
	var n sql.NullInt64
	err := j.each(ctx, func(rows *sql.Rows) error { return rows.Scan(&n) }, query, args...)
	return n.Int64, err
}

func (j *Journal) queryInts(ctx context.Context, query string, args ...any) ([]int64, error) {
	var out []int64
	err := j.each(ctx, func(rows *sql.Rows) error {
		var n int64
		err := rows.Scan(&n)
		out = append(out, n)
		return err
	}, query, args...)
	return out, err
}
