package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// decisionSource is a journal: a file, or that of a running scanflow.
type decisionSource interface {
	EachDecision(ctx context.Context, f journal.Filter) iter.Seq2[journal.Row, error]
	EachFiring(ctx context.Context, f journal.Filter) iter.Seq2[journal.Firing, error]
	Decision(ctx context.Context, id string) (journal.Row, error)
	Document(ctx context.Context, id string) (json.RawMessage, error)
	Names(ctx context.Context) (journal.Names, error)
	Close() error
}

// open opens the journal in --data, or that of --server. With neither, it opens the default folder, and
// where that has no journal it asks the default address.
func (o *readFlags) open(ctx context.Context) (decisionSource, error) {
	folder, server, err := o.asked()
	if err != nil {
		return nil, err
	}
	dir := app.JournalDir(o.data)
	if server || !folder && !hasJournal(dir) {
		remote := &remoteJournal{client: &o.clientFlags}
		if server {
			return remote, nil
		}
		if _, err := remote.Names(ctx); err != nil {
			return nil, fmt.Errorf("there is no journal in %s, and %w; pass --data with the folder of the scanflow", dir, err)
		}
		return remote, nil
	}
	r, err := journal.OpenReader(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; or pass --server to ask a running scanflow", err)
	}
	return r, err
}

// remoteJournal is the journal of a running scanflow.
type remoteJournal struct{ client *clientFlags }

func (j *remoteJournal) Close() error { return nil }

// remotePage is how many rows one request asks for.
const remotePage = 1000

func (j *remoteJournal) EachDecision(ctx context.Context, f journal.Filter) iter.Seq2[journal.Row, error] {
	return func(yield func(journal.Row, error) bool) {
		for left := f.Limit; ; {
			size := remotePage
			if f.Limit > 0 {
				size = min(size, left)
			}
			var rows []journal.Row
			if err := j.get(ctx, "/v1/decisions", queryOf(f, size), &rows); err != nil {
				yield(journal.Row{}, err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
			if left -= len(rows); len(rows) < size || f.Limit > 0 && left <= 0 {
				return
			}
			if last := rows[len(rows)-1].Seq; f.OldestFirst {
				f.After = last
			} else {
				f.Before = last
			}
		}
	}
}

// EachFiring iterates over the firings that had problems.
func (j *remoteJournal) EachFiring(ctx context.Context, f journal.Filter) iter.Seq2[journal.Firing, error] {
	return func(yield func(journal.Firing, error) bool) {
		size := f.Limit
		if size <= 0 || size > maxLimit {
			size = maxLimit
		}
		var firings []journal.Firing
		if err := j.get(ctx, "/v1/problems", queryOf(f, size), &firings); err != nil {
			yield(journal.Firing{}, err)
			return
		}
		for _, firing := range firings {
			if !yield(firing, nil) {
				return
			}
		}
	}
}

func (j *remoteJournal) Decision(ctx context.Context, id string) (row journal.Row, err error) {
	err = j.byID(ctx, id, "", &row)
	return row, err
}

func (j *remoteJournal) Document(ctx context.Context, id string) (raw json.RawMessage, err error) {
	err = j.byID(ctx, id, "/document", &raw)
	return raw, err
}

func (j *remoteJournal) byID(ctx context.Context, id, of string, into any) error {
	firing, index, ok := strings.Cut(id, "/")
	if !ok || firing == "" || index == "" || strings.Contains(index, "/") {
		return fmt.Errorf("decision %q: an id is FIRING/NUMBER, or the identity of an act", id)
	}
	return j.get(ctx, "/v1/decisions/"+url.PathEscape(firing)+"/"+url.PathEscape(index)+of, nil, into)
}

func (j *remoteJournal) Names(ctx context.Context) (names journal.Names, err error) {
	err = j.client.get(ctx, "/v1/names", nil, &names)
	return names, err
}

// get decodes an answer as the journal decodes its rows, so that numbers are the same.
func (j *remoteJournal) get(ctx context.Context, path string, query url.Values, into any) error {
	var raw json.RawMessage
	if err := j.client.get(ctx, path, query, &raw); err != nil {
		return err
	}
	if err := jsonvalue.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("GET %s: the answer is not what a scanflow answers: %w", path, err)
	}
	return nil
}

// queryOf is a filter as the query of a request.
func queryOf(f journal.Filter, limit int) url.Values {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	for name, value := range map[string]string{
		"agent": f.Agent, "target": f.Target, "strategy": f.Strategy, "verb": f.Verb, "verdict": string(f.Verdict), "outcome": string(f.Outcome),
		"identity": f.Identity, "since": timeQuery(f.Since), "until": timeQuery(f.Until), "after": seqQuery(f.After), "before": seqQuery(f.Before),
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.OldestFirst {
		q.Set("order", "oldest")
	}
	return q
}

func timeQuery(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func seqQuery(seq int64) string {
	if seq == 0 {
		return ""
	}
	return strconv.FormatInt(seq, 10)
}
