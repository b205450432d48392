package journal

import (
	"context"
	"fmt"
	"strconv"
)

// idBlock is how many firing ids are taken from the file at once. A crash loses
// what is left of a block, so ids have gaps.
const idBlock = 1000

// ids are the firing ids taken from the file and not yet given out. Whoever holds
// sem may touch the rest.
type ids struct {
	sem       chan struct{}
	epoch     string
	next, end int64
}

// NextFiring returns "EPOCH-N": the epoch was drawn when the file was made, and N
// never repeats in it. Most calls do not touch the disk.
func (j *Journal) NextFiring(ctx context.Context) (string, error) {
	select {
	case j.ids.sem <- struct{}{}:
	case <-ctx.Done():
		return "", fmt.Errorf("next firing: %w", context.Cause(ctx))
	}
	defer func() { <-j.ids.sem }()
	if j.ids.next == j.ids.end {
		if err := j.reserve(ctx); err != nil {
			return "", fmt.Errorf("next firing: %w", err)
		}
	}
	n := j.ids.next
	j.ids.next++
	return j.ids.epoch + "-" + strconv.FormatInt(n, 10), nil
}

func (j *Journal) reserve(ctx context.Context) error {
	var epoch string
	var next int64
	err := j.writer.do(ctx, func(ctx context.Context, s *store) error {
		if err := s.row(ctx, `SELECT value FROM meta WHERE key = 'epoch'`, nil, &epoch); err != nil {
			return fmt.Errorf("read the epoch: %w", err)
		}
		return s.row(ctx, `UPDATE meta SET value = value + ? WHERE key = 'next' RETURNING CAST(value AS INTEGER)`, []any{idBlock}, &next)
	})
	if err != nil {
		return err
	}
	j.ids.epoch, j.ids.next, j.ids.end = epoch, next-idBlock, next
	return nil
}
