package journal

import (
	"context"
	"fmt"
	"strconv"
)

// firingIDBlock is the number of firing ids that are reserved in the file at once. A crash
// loses the rest of a block, so the ids have gaps.
const firingIDBlock = 1000

// firingIDs are the reserved ids that are not used yet. sem guards the other fields.
type firingIDs struct {
	sem       chan struct{}
	epoch     string
	next, end int64
}

// NextFiring returns "EPOCH-N". The epoch is random and was generated with the file, and N
// never repeats in a file. Most calls do not access the disk.
func (j *Journal) NextFiring(ctx context.Context) (string, error) {
	select {
	case j.firingIDs.sem <- struct{}{}:
	case <-ctx.Done():
		return "", fmt.Errorf("next firing: %w", context.Cause(ctx))
	}
	defer func() { <-j.firingIDs.sem }()
	if j.firingIDs.next == j.firingIDs.end {
		if err := j.reserveFiringIDs(ctx); err != nil {
			return "", fmt.Errorf("next firing: %w", err)
		}
	}
	n := j.firingIDs.next
	j.firingIDs.next++
	return j.firingIDs.epoch + "-" + strconv.FormatInt(n, 10), nil
}

func (j *Journal) reserveFiringIDs(ctx context.Context) error {
	var epoch string
	var next int64
	err := j.writer.do(ctx, func(ctx context.Context, s *store) error {
		if err := s.queryRow(ctx, `SELECT value FROM meta WHERE key = 'epoch'`, nil, &epoch); err != nil {
			return fmt.Errorf("read the epoch: %w", err)
		}
		return s.queryRow(ctx, `UPDATE meta SET value = value + ? WHERE key = 'next' RETURNING CAST(value AS INTEGER)`, []any{firingIDBlock}, &next)
	})
	if err != nil {
		return err
	}
	j.firingIDs.epoch, j.firingIDs.next, j.firingIDs.end = epoch, next-firingIDBlock, next
	return nil
}
