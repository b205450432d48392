package tracker

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFilterGrammar(t *testing.T) {
	t.Parallel()
	metric := func(key, compare string, n any) clause {
		return clause{entity: "metric", key: key, compare: compare, number: n}
	}
	text := func(entity, key, compare, value string) clause {
		return clause{entity: entity, key: key, compare: compare, text: value}
	}
	for filter, want := range map[string][]clause{
		"":     nil,
		" \t ": nil,
		"metrics.rmse < 1 and params.model = 'tree'": {metric("rmse", "<", int64(1)), text("parameter", "model", "=", "tree")},
		"metrics.rmse<=1.5":                          {metric("rmse", "<=", 1.5)},
		"metric.rmse >= -.5e-3":                      {metric("rmse", ">=", -.5e-3)},
		"metrics.rmse > 1.":                          {metric("rmse", ">", 1.0)},
		"metrics.`a b/c` != 2":                       {metric("a b/c", "!=", int64(2))},
		`metrics."a-b" = 2`:                          {metric("a-b", "=", int64(2))},
		"metrics.a.b.c = 2":                          {metric("a.b.c", "=", int64(2))},
		"params.`x` = \"quoted 'twice'\"":            {text("parameter", "x", "=", "quoted 'twice'")},
		"param.x = '\"'":                             {text("parameter", "x", "=", `"`)},
		"parameters.x != ''":                         {text("parameter", "x", "!=", "")},
		"tags.`mlflow.parentRunId` = 'abc'":          {text("tag", "mlflow.parentRunId", "=", "abc")},
		"tags.mlflow.source.name LIKE '%train%'":     {text("tag", "mlflow.source.name", "LIKE", "%train%")},
		"tag.x ilike 'A_'":                           {text("tag", "x", "ILIKE", "A_")},
		"status = 'RUNNING'":                         {text("attribute", "status", "=", "RUNNING")},
		"attributes.status != 'RUNNING'":             {text("attribute", "status", "!=", "RUNNING")},
		"attr.start_time > 1664067852747":            {{entity: "attribute", key: "start_time", compare: ">", number: int64(1664067852747)}},
		"Created > 5":                                {{entity: "attribute", key: "Created", compare: ">", number: int64(5)}},
		"run.`run name` = 'x'":                       {text("attribute", "run name", "=", "x")},
		"`run_name` = 'x'":                           {text("attribute", "run_name", "=", "x")},
		"run_id IN ('a')":                            {{entity: "attribute", key: "run_id", compare: "IN", list: []string{"a"}}},
		"attributes.run_id NOT in ('a', \"b\")":      {{entity: "attribute", key: "run_id", compare: "NOT IN", list: []string{"a", "b"}}},
		"params.größe = 'ä'":                         {text("parameter", "größe", "=", "ä")},
		"metrics.1st > 1 AND metrics.2nd > 2 AND metrics.3rd > 3": {
			metric("1st", ">", int64(1)), metric("2nd", ">", int64(2)), metric("3rd", ">", int64(3))},
		"\n metrics.a\n>\n1\nAND\n tags.b = 'AND' ": {metric("a", ">", int64(1)), text("tag", "b", "=", "AND")},
	} {
		t.Run(filter, func(t *testing.T) {
			got, err := runGrammar.parseFilter(filter)
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

func TestFiltersThatAreRefused(t *testing.T) {
	t.Parallel()
	for filter, says := range map[string]string{
		"metrics.a > 1 OR metrics.b > 2": "joined by AND",
		"metrics.a > 1 metrics.b > 2":    "joined by AND",
		"metrics.a > 1 AND":              "ends within a comparison",
		"AND metrics.a > 1":              "Invalid attribute key 'AND'",
		"metrics.a":                      "ends within a comparison",
		"metrics.a >":                    "ends within a comparison",
		"1 < metrics.a":                  "Expected 'Identifier' found '1'",
		"metrics.a > '1'":                "Expected numeric value type",
		"metrics.a > NaN":                "Found NaN",
		"metrics.a > 1e999":              "too large",
		"metrics.a > 12abc":              "Invalid clause(s)",
		"metrics.a LIKE '1'":             "Invalid comparator 'LIKE'",
		"metrics.a == 1":                 "Invalid comparator '=='",
		"metrics.a <> 1":                 "Invalid comparator '<>'",
		"metrics. > 1":                   "Invalid identifier",
		"metrics.`` > 1":                 "Invalid identifier",
		"metrics.`a > 1":                 "does not end",
		"params.a = 1":                   "Expected a quoted string value",
		"params.a = b":                   "Expected a quoted string value",
		"params.a = 'b":                  "does not end",
		"params.a > 'b'":                 "Invalid comparator '>'",
		"params.a IN ('b')":              "Invalid comparator 'IN'",
		"tags.a NOT 'b'":                 "Expected comparison found 'NOT'",
		"tags.a IS NULL":                 "Expected comparison found 'IS'",
		"nothing.a = 'b'":                "Invalid entity type 'nothing'",
		"lifecycle_stage = 'deleted'":    "Invalid attribute key 'lifecycle_stage'",
		"start_time = 'x'":               "Expected numeric value type for attribute: start_time",
		"start_time LIKE 1":              "Invalid comparator",
		"run_id IN ()":                   "non-empty list",
		"run_id IN ('a' 'b')":            "non-empty list",
		"run_id IN ('a',)":               "non-empty list",
		"run_id IN (1)":                  "non-empty list",
		"run_id IN 'a'":                  "non-empty list",
		"run_id IN ('a'":                 "ends within a comparison",
		"run_id = ('a')":                 "Expected a quoted string value",
		"metrics.a > 1; drop table runs": "Invalid clause(s)",
		"metrics.a > 1 -- comment":       "Invalid clause(s)",
		"(metrics.a > 1)":                "Expected 'Identifier'",
		"params.a = \xff":                "no UTF-8",
		"a = 'b' AND " + strings.Repeat("status = 'x' AND ", 200): "Invalid attribute key 'a'",
		strings.Repeat("status = 'x' AND ", 200) + "status = 'x'": "at most 100 comparisons",
		"params.a LIKE '" + strings.Repeat("a", 20_000) + "'":     "at most 10000 bytes",
	} {
		t.Run(shorten(strings.ToValidUTF8(filter, "?")), func(t *testing.T) {
			_, err := runGrammar.parseFilter(filter)
			var e *apiError
			require.ErrorAs(t, err, &e)
			require.Equal(t, badParameter, e.Code)
			require.Contains(t, e.Message, says)
		})
	}
}

// TestGrammarsOfOtherSearches covers the differences to the grammar of runs.
func TestGrammarsOfOtherSearches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		g      *grammar
		filter string
		fine   bool
	}{
		{experimentGrammar, "name ILIKE '%x%' AND creation_time > 5 AND last_update_time <= 7 AND tags.a = 'b'", true},
		{experimentGrammar, "name IN ('a')", false},
		{experimentGrammar, "metrics.a > 5", false},
		{experimentGrammar, "experiment_id = '1'", false},
		{modelGrammar, "name LIKE 'x' AND tags.`a b` != 'c'", true},
		{modelGrammar, "name NOT IN ('x', 'y')", true},
		{modelGrammar, "run_id = 'x'", false},
		{versionGrammar, "name = 'x' AND run_id IN ('a', 'b') AND source_path LIKE 's3:%' AND version_number >= 2 AND tag.a ILIKE 'b'", true},
		{versionGrammar, "attribute.name = 'x'", true},
		{versionGrammar, "source_path IN ('x')", false},
		{versionGrammar, "version_number = '2'", false},
		{versionGrammar, "current_stage = 'None'", false},
	} {
		_, err := c.g.parseFilter(c.filter)
		if c.fine {
			require.NoError(t, err, c.filter)
		} else {
			require.Error(t, err, c.filter)
		}
	}
}

func TestOrderGrammar(t *testing.T) {
	t.Parallel()
	for by, want := range map[string]order{
		"metrics.a":             {"metric", "a", ""},
		"metrics.`a b` DESC":    {"metric", "a b", " DESC"},
		"params.a asc":          {"parameter", "a", ""},
		`tags."a.b"   desc`:     {"tag", "a.b", " DESC"},
		"start_time DESC":       {"attribute", "start_time", " DESC"},
		"attributes.end_time":   {"attribute", "end_time", ""},
		"`run_name` ASC":        {"attribute", "run_name", ""},
		"attribute.Created ASC": {"attribute", "Created", ""},
	} {
		got, err := runGrammar.parseOrder(by)
		require.NoError(t, err, by)
		require.Equal(t, want, got, by)
	}
	for by, says := range map[string]string{
		"":                        "Could not be parsed",
		"metrics.a UP":            "Could not be parsed",
		"metrics.a DESC DESC":     "Could not be parsed",
		"DESC metrics.a":          "Could not be parsed",
		"1":                       "Could not be parsed",
		"'metrics.a'":             "Could not be parsed",
		"lifecycle_stage":         "Invalid order by key",
		"metric.a, metric.b":      "Could not be parsed",
		"random()":                "Could not be parsed",
		"nothing.a DESC":          "Invalid entity type",
		"metrics.a; drop table x": "Invalid clause",
	} {
		_, err := runGrammar.parseOrder(by)
		require.ErrorContains(t, err, says, by)
	}
	_, err := experimentGrammar.parseOrder("tags.a")
	require.ErrorContains(t, err, "Invalid order_by entity")
	_, _, err = runGrammar.orderBy([]string{"metrics.a", "params.a", "metric.a DESC"}, nil)
	require.ErrorContains(t, err, "duplicate")
}

// FuzzFilter checks that SQLite accepts the query of every valid filter, and that no text of a
// filter is parsed as SQL.
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		"metrics.rmse < 1 and params.model = 'tree'", "tags.`a b` ILIKE \"%x_\"", "run_id NOT IN ('a', 'b')", "attributes.start_time >= 1e3",
		"params.\"x'\" = '--'", "metrics.`; drop table runs` != -.5", "name LIKE '%'", "version_number > 1 AND run_id IN ('x')", "creation_time = 99999999999999999999",
	} {
		f.Add(seed, "metrics.`a` DESC")
	}
	s, err := openStore(f.Context(), f.TempDir()+"/fuzz.db")
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, s.close()) })
	require.NoError(f, s.update(f.Context(), func(ctx context.Context, tx *sql.Tx) error {
		if _, err := migrate(ctx, tx, ""); err != nil {
			return err
		}
		for _, row := range []string{ // so that there is something to compare with
			`INSERT INTO experiments VALUES (1, 'e', '', 'active', 1, 1)`, `INSERT INTO experiment_tags VALUES (1, 'a', 'b')`,
			`INSERT INTO runs VALUES (1, 'r', 1, 'name', 'user', 'RUNNING', 1, NULL, 'active', '')`,
			`INSERT INTO latest_metrics VALUES (1, 'a', 1, 1, 1, 0)`, `INSERT INTO params VALUES (1, 'a', 'b')`, `INSERT INTO run_tags VALUES (1, 'a', 'b')`,
			`INSERT INTO models VALUES (1, 'm', '', 1, 1)`, `INSERT INTO model_tags VALUES (1, 'a', 'b')`,
			`INSERT INTO versions VALUES (1, 1, '', 'None', '', '', '', '', 1, 1)`, `INSERT INTO version_tags VALUES (1, 1, 'a', 'b')`,
		} {
			if err := execute(ctx, tx, row); err != nil {
				return err
			}
		}
		return nil
	}))
	f.Fuzz(func(t *testing.T, filter, by string) {
		for columns, g := range map[string]*grammar{runColumns: runGrammar, experimentColumns: experimentGrammar, modelColumns: modelGrammar, versionColumns: versionGrammar} {
			q := search{grammar: g, page: page{max: 1}}
			q.where.add("true")
			query, args, err := q.query(columns, filter, []string{by}, []string{"1"})
			if err != nil {
				var e *apiError
				require.ErrorAs(t, err, &e)
				continue
			}
			require.NoError(t, s.view(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
				return each(ctx, tx, query, args, func(func(...any) error) error { return nil })
			}), query)
		}
	})
}
